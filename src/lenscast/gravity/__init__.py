"""Gravity: initial conditions, Lagrangian perturbation theory, particle-mesh forces and time integration.

mesh = ParticleMesh(box_size=100.0, particles=32)
field = linear_field(key, cosmology.power, mesh)
start = lpt(field, 0.1, cosmology, mesh)
states = nbody(start, jnp.array([0.1, 1.0]), cosmology, mesh, FixedSteps("bullfrog", 10))
density = paint(start.position(mesh), mesh.box_size, mesh.particles)
"""

from lenscast.gravity.forces import acceleration
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.nbody import Adaptive, FixedSteps, Integrator, nbody
from lenscast.gravity.painting import paint, paint_slabs, read

__all__ = [
    "Adaptive",
    "FixedSteps",
    "Integrator",
    "ParticleMesh",
    "Particles",
    "acceleration",
    "linear_field",
    "lpt",
    "nbody",
    "paint",
    "paint_slabs",
    "read",
]
