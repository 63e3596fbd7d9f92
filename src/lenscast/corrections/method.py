"""The method of a simulation with a correction, or without."""

from lenscast.corrections.network import ForceCorrection
from lenscast.corrections.pgd import PGD
from lenscast.cosmology import Cosmology
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.gravity.nbody import Method
from lenscast.sections.box import Integrator, ParticleMesh

Correction = ForceCorrection | PGD


def corrected(
    correction: Correction | None,
    mesh: ParticleMesh,
    integrator: Integrator,
    cosmology: Cosmology,
    domain: Domain = SINGLE,
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
    domain
        Where the box is.
    """
    if correction is None:
        return Method(mesh, integrator, domain=domain)
    return correction.method(mesh, integrator, cosmology, domain)
