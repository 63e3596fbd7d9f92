"""Gravity: initial conditions, perturbation theory, particle-mesh forces and steps, corrections of small scales.

mesh = ParticleMesh(box_size=100.0, particles=32)
field = linear_field(key, cosmology.power, mesh)
start = lpt(field, 0.1, cosmology, mesh)
states = nbody(start, jnp.array([0.1, 1.0]), cosmology, mesh, FixedSteps("bullfrog", 10))
density = paint(start.position(mesh), mesh.box_size, mesh.particles)
"""

from lenscast.gravity.correction import HPN, PublishedHPN
from lenscast.gravity.forces import acceleration
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.nbody import Adaptive, Correction, FixedSteps, Integrator, integrator_of, nbody
from lenscast.gravity.painting import paint, paint_slabs, read
from lenscast.gravity.pgd import PGD

__all__ = [
    "HPN",
    "PGD",
    "Adaptive",
    "Correction",
    "FixedSteps",
    "Integrator",
    "ParticleMesh",
    "Particles",
    "PublishedHPN",
    "acceleration",
    "integrator_of",
    "linear_field",
    "lpt",
    "nbody",
    "paint",
    "paint_slabs",
    "read",
]
