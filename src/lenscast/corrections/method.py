"""The method of a simulation with a correction, or without."""

from lenscast.corrections.network import ForceCorrection
from lenscast.corrections.pgd import PGD
from lenscast.cosmology import Cosmology
from lenscast.gravity.nbody import Method
from lenscast.sections.box import Integrator, ParticleMesh

Correction = ForceCorrection | PGD


def corrected(
    correction: Correction | None, mesh: ParticleMesh, integrator: Integrator, cosmology: Cosmology
) -> Method:
    """Method of a simulation with a correction.

    Parameters
    ----------
    correction
        Correction of small scales; None for the particle mesh as it is.
    mesh
        Box, number of particles and force mesh.
    integrator
        Time integration.
    cosmology
        Growth and linear power: a correction depends on how nonlinear the density is.
    """
    return Method(mesh, integrator) if correction is None else correction.method(mesh, integrator, cosmology)
