"""Intrinsic alignments of galaxies with the matter around them, in the nonlinear linear-alignment model (NLA)."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from lenscast.cosmology import Cosmology
from lenscast.lensing.lightcone import Lightcone

__all__ = ["AlignmentModel", "alignment_weights"]


@dataclass(frozen=True)
class AlignmentModel:
    """Constants of the NLA model.

    Attributes
    ----------
    C1_rho_crit : normalisation C_1 times the critical density today.
    z_pivot : redshift at which the amplitude is A_IA.
    """

    C1_rho_crit: float
    z_pivot: float


def alignment_weights(
    shares: Float[Array, "plane source"],
    A_IA: Float[Array, ""],
    eta: Float[Array, ""],
    cosmology: Cosmology,
    lightcone: Lightcone,
    model: AlignmentModel,
) -> Float[Array, "plane source"]:
    """Convergence that intrinsic alignments mimic, per unit overdensity of each plane.

    -A_IA C_1 rho_crit Omega_m / D1(a) [(1 + z) / (1 + z_pivot)]^eta times the share of galaxies in the plane's slab.

    Parameters
    ----------
    shares : of the galaxies of each source that are in the slab of each plane, from `source_shares`.
    A_IA, eta : amplitude and its power of redshift.
    cosmology : growth and matter density.
    lightcone : planes.
    model : constants.

    References: Hirata & Seljak (2004), astro-ph/0406275; Bridle & King (2007), arXiv:0705.0166, Eq. 8; Joachimi et al.
    (2011), arXiv:1008.3491, Eq. 6, for the power of redshift.
    """
    a = cosmology.distances.scale_factor(jnp.asarray(lightcone.chi))
    evolution = (1 / a / (1 + model.z_pivot)) ** eta / cosmology.growth.D1(a)
    amplitude = -A_IA * model.C1_rho_crit * cosmology.parameters.Omega_m
    return amplitude * evolution[:, None] * shares
