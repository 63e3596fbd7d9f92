"""Intrinsic alignments of galaxies with the matter around them, in the nonlinear linear-alignment model (NLA).

Convention: alignments add to the convergence a term that is linear in the overdensity of the plane in which the
galaxies are. Like lensing, they have a kernel of the planes and enter maps through the sum over planes
(`lenscast.lensing.kernels`).
"""

from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

from lenscast.cosmology import Cosmology
from lenscast.sections.lightcone import Lightcone


@runtime_checkable
class AlignmentConstants(Protocol):
    """Constants of the NLA model; the section `systematics` of a config has them.

    An object with these two attributes serves. It must be hashable where a compiled function takes it as a static
    argument.
    """

    @property
    def C1_rho_crit(self) -> float:
        """Normalisation C_1 times the critical density today."""

    @property
    def z_pivot(self) -> float:
        """Redshift at which the amplitude is A_IA."""


def alignment_kernel(
    shares: Float[Array, "plane source"],
    A_IA: Float[Array, ""],
    eta: Float[Array, ""],
    cosmology: Cosmology,
    lightcone: Lightcone,
    constants: AlignmentConstants,
) -> Float[Array, "plane source"]:
    """Convergence that intrinsic alignments mimic, per unit overdensity of each plane.

    Parameters
    ----------
    shares
        Share of the galaxies of each source bin in the slab of each plane, from `source_shares`.
    A_IA
        Amplitude of intrinsic alignments.
    eta
        Power of (1 + z) / (1 + z_pivot) in the amplitude.
    cosmology
        Scale factors of the planes, growth and matter density.
    lightcone
        Planes.
    constants
        Constants of the model.

    Notes
    -----
    kernel_bi = -A_IA C_1 rho_crit Omega_m / D1(a_i) [(1 + z_i) / (1 + z_pivot)]^eta share_bi

    The minus sign makes galaxies point towards overdensities, opposite to the tangential shear of lensing.

    References
    ----------
    Hirata & Seljak (2004), astro-ph/0406275; Bridle & King (2007), arXiv:0705.0166, Eq. 8; Joachimi et al. (2011),
    arXiv:1008.3491, Eq. 6, for the power of redshift.
    """
    a = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))
    # The tidal field at the time when galaxies formed sets their shapes. The division by D1 takes out how much the
    # overdensity of the plane has grown since then.
    evolution = (1 / a / (1 + constants.z_pivot)) ** eta / cosmology.growth.D1(a)
    amplitude = -A_IA * constants.C1_rho_crit * cosmology.parameters.Omega_m
    return amplitude * evolution[:, None] * shares
