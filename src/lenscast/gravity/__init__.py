"""Gravity: initial conditions, perturbation theory, particle-mesh forces and time integration.

The sections `ParticleMesh`, `FixedSteps` and `AdaptiveSteps` of `lenscast.sections.box` say what is simulated. A
correction of small scales enters `nbody` as two callables of a `Method`; `lenscast.corrections` makes them.

mesh = ParticleMesh(box_size=100.0, particles=32)
field = linear_field(key, cosmology.power, mesh)
start = lpt(field, 0.1, cosmology, mesh)
method = Method(mesh, FixedSteps(kind="bullfrog", steps=10))
(position,) = nbody(start, jnp.array([0.1, 1.0]), cosmology, method, save=lambda state: state.position(mesh))
density = paint(position, mesh.box_size, mesh.particles)
"""

from lenscast.gravity.domain import SINGLE, Domain, domain
from lenscast.gravity.forces import acceleration
from lenscast.gravity.initial import field_from_noise, linear_field, white_noise
from lenscast.gravity.lpt import lpt
from lenscast.gravity.mesh import Particles, lattice
from lenscast.gravity.nbody import Method, nbody
from lenscast.gravity.painting import paint, paint_slabs, read
from lenscast.sections.box import AdaptiveSteps, FixedSteps, Integrator, ParticleMesh

__all__ = [
    "SINGLE",
    "AdaptiveSteps",
    "Domain",
    "FixedSteps",
    "Integrator",
    "Method",
    "ParticleMesh",
    "Particles",
    "acceleration",
    "domain",
    "field_from_noise",
    "lattice",
    "linear_field",
    "lpt",
    "nbody",
    "paint",
    "paint_slabs",
    "read",
    "white_noise",
]
