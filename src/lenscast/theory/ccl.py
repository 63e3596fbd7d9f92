"""Tomographic spectra of CCL, an optional dependency (the extra `theory`), with which simulated maps are compared.

Convention: CCL computes its own lensing kernels, alignments and Limber integral. lenscast gives it the redshift
distributions and the matter power, so that the comparison tests everything between these and the spectra. Pairs of
sources have the order of `source_pairs`.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from lenscast.cosmology import Parameters
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory.galaxies import Galaxies
from lenscast.theory.matter import MatterPower, optional

K = np.geomspace(1e-4, 50.0, 400)  # h/Mpc
C1_RHO_CRIT = 0.01388  # constant in CCL's alignments, to which the constant of the config is compared


class Components(NamedTuple):
    """Parts of the spectra of all pairs of sources [sr].

    Attributes
    ----------
    GG
        Lensing with lensing.
    GI
        Lensing of either source with alignments of the other.
    II
        Alignments with alignments.
    """

    GG: Float[np.ndarray, "pair ell"]
    GI: Float[np.ndarray, "pair ell"]
    II: Float[np.ndarray, "pair ell"]


def ccl_components(
    ell: Float[np.ndarray, " ell"], parameters: Parameters, galaxies: Galaxies, power: MatterPower
) -> Components:
    """Spectra of lensing and alignments in the Limber approximation, with the calibration of each source.

    Parameters
    ----------
    ell
        Multipoles, ell = k chi.
    parameters
        Cosmological parameters.
    galaxies
        Sources, which must be distributions of redshift, and nuisance parameters.
    power
        Nonlinear matter power of the same cosmology, up to the last source.

    Raises
    ------
    ValueError
        If CCL is not installed, or sources are planes.

    References
    ----------
    Chisari et al. (2019), arXiv:1812.05995.
    """
    ccl = optional("pyccl", "CCL")
    values = {name: float(value) for name, value in vars(parameters).items()}
    cosmo = ccl.Cosmology(
        **values, transfer_function="eisenstein_hu", matter_power_spectrum="linear", Omega_g=0.0, Neff=0.0, m_nu=0.0
    )
    a = np.linspace(1 / (1 + galaxies.z_max), 1.0, 64)
    h, matter = values["h"], np.stack([power.nonlinear(K, 1 / each - 1) for each in a])
    # CCL works with Mpc and 1/Mpc, lenscast with Mpc/h
    shape = ccl.Pk2D(a_arr=a, lk_arr=np.log(K * h), pk_arr=np.log(matter / h**3), is_logp=True)
    lensing, alignment = _tracers(ccl, cosmo, galaxies)
    calibration = 1 + np.asarray(galaxies.systematics.m)

    def spectra(first: list[Any], second: list[Any]) -> Float[np.ndarray, "pair ell"]:
        # CCL evaluates the power at k chi = ell + 1/2, lenscast at k chi = ell
        found = [
            calibration[i] * calibration[j] * ccl.angular_cl(cosmo, first[i], second[j], ell - 0.5, p_of_k_a=shape)
            for i, j in source_pairs(len(galaxies.sources))
        ]
        return np.stack(found)

    cross = spectra(lensing, alignment) + spectra(alignment, lensing)
    return Components(spectra(lensing, lensing), cross, spectra(alignment, alignment))


def _tracers(ccl: Any, cosmo: Any, galaxies: Galaxies) -> tuple[list[Any], list[Any]]:
    """Lensing and alignments of each source, as tracers of CCL."""
    sources, model, systematics = galaxies.sources, galaxies.alignment, galaxies.systematics
    width = sources.high - sources.low
    if not np.all(width > 0):
        raise ValueError("CCL needs redshift distributions: give survey.sources of kind smail or table")
    # n(z) at the ends of the cells of redshift, where it is linear in each cell
    low, high = sources.share * (1 - sources.tilt) / width, sources.share * (1 + sources.tilt) / width
    z, n = np.append(sources.low, sources.high[-1]), np.concatenate([low, high[:, -1:]], axis=1)
    amplitude = float(systematics.A_IA) * ((1 + z) / (1 + model.z_pivot)) ** float(systematics.eta)
    scale = model.C1_rho_crit / C1_RHO_CRIT
    lensing, alignment = [], []
    for each, shift in zip(n, np.asarray(systematics.delta_z), strict=True):
        dndz = (z, np.interp(z - shift, z, each, left=0.0, right=0.0))
        lensing.append(ccl.WeakLensingTracer(cosmo, dndz=dndz))
        alignment.append(ccl.WeakLensingTracer(cosmo, dndz=dndz, has_shear=False, ia_bias=(z, scale * amplitude)))
    return lensing, alignment
