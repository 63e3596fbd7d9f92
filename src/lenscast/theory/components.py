"""Tomographic spectra of lensing and alignments apart, as simulated maps show them.

Convention: kernels, Limber integral and alignments are CCL's. Two sums over planes, with and without the windows of the
planes and the box, give the ratio by which CCL's spectra are multiplied, and the region that is measured mixes their
multipoles. Theory does not know the resolution of particles and force mesh.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.lensing import Kernels, limber_sum
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory.ccl import Components, ccl_components
from lenscast.theory.galaxies import Galaxies
from lenscast.theory.matter import MatterPower, camb_power
from lenscast.theory.planes import plane_power, thin_planes
from lenscast.theory.spectra import MeasuredSpectrum, bandpowers

MODEL = "mead2020"


def theory_components(
    parameters: Parameters, galaxies: Galaxies, measured: MeasuredSpectrum, lightcone: Lightcone, spacing: float
) -> pd.DataFrame:
    """Spectra of CCL with the power of HMCode2020, one row per component, pair and bin; with feedback if there is any.

    Parameters
    ----------
    parameters
        Cosmological parameters.
    galaxies
        Sources and nuisance parameters.
    measured
        Statistic that measures the maps, with its region and mask.
    lightcone
        Planes.
    spacing
        Spacing of the particles [Mpc/h].

    Returns
    -------
    Columns: component, source_1, source_2, low; ccl [sr], the Limber spectrum in the bin as the region measures it;
    theory [sr], the same with the windows of the planes and the box; for GG also shot [sr], the shot noise of particles
    with a Poisson distribution. Particles of a simulation have less shot noise until they have left their lattice.

    Raises
    ------
    ValueError
        If CAMB or CCL is not installed, or sources are planes.

    References
    ----------
    Mead et al. (2021), arXiv:2009.01858; Chisari et al. (2019), arXiv:1812.05995.
    """
    planes = _Planes.of(parameters, galaxies, measured, lightcone)
    exact = ccl_components(planes.ell, parameters, galaxies, planes.power)
    windowed = planes.window_spectra(exact, galaxies)
    kernel = np.asarray(galaxies.kernels(planes.cosmos, lightcone).lensing)
    shot = limber_sum(plane_power(planes.ell, planes.cosmos, _poisson(spacing), lightcone), kernel)
    frames = [planes.frame(measured, {"ccl": c, "theory": t}) for c, t in zip(exact, windowed, strict=True)]
    frames[0]["shot"] = planes.frame(measured, {"shot": shot})["shot"]
    table = pd.concat(frames, keys=Components._fields, names=["component"])
    return table.reset_index("component").reset_index(drop=True)


def theory_derivatives(
    parameters: Parameters,
    galaxies: Galaxies,
    measured: MeasuredSpectrum,
    lightcone: Lightcone,
    steps: Mapping[str, float],
) -> pd.DataFrame:
    """Derivatives of ln C_ell with respect to nuisance parameters from CCL, one row per parameter, pair and bin.

    Parameters
    ----------
    parameters, galaxies, measured, lightcone
        As for `theory_components`.
    steps
        Step of each parameter; only parameters that do not change the matter power.

    Returns
    -------
    Columns: parameter, source_1, source_2, low; theory [per unit of the parameter], from central differences of spectra
    with the windows of the planes and the box, as the region measures them.
    """
    planes, frames = _Planes.of(parameters, galaxies, measured, lightcone), {}

    def total(survey: Galaxies) -> Float[np.ndarray, "pair ell"]:
        exact = ccl_components(planes.ell, parameters, survey, planes.power)
        return np.sum(planes.window_spectra(exact, survey), axis=0)

    here = total(galaxies)
    for name, step in steps.items():
        plus, minus = (total(galaxies.with_step(name, sign * step)) for sign in (1, -1))
        frame = planes.frame(measured, {"slope": (plus - minus) / (2 * step), "here": here})
        frames[name] = frame.assign(theory=frame["slope"] / frame["here"]).drop(columns=["slope", "here"])
    return pd.concat(frames, names=["parameter"]).reset_index("parameter").reset_index(drop=True)


class _Planes(NamedTuple):
    """Spectra of the matter on two sets of planes.

    Attributes
    ----------
    ell, windows
        As in `theory.bandpowers`.
    cosmos, power
        Cosmology and its nonlinear matter power.
    thin, of_thin
        Planes so thin that their sum is an integral, and the spectrum of each.
    lightcone, of_planes
        Planes of the maps, and the spectrum of each with its windows and the box.
    """

    ell: Float[np.ndarray, " ell"]
    windows: Float[np.ndarray, "bin ell"]
    cosmos: Cosmology
    power: MatterPower
    thin: Lightcone
    of_thin: Float[np.ndarray, "thin ell"]
    lightcone: Lightcone
    of_planes: Float[np.ndarray, "plane ell"]

    @classmethod
    def of(
        cls, parameters: Parameters, galaxies: Galaxies, measured: MeasuredSpectrum, lightcone: Lightcone
    ) -> "_Planes":
        """Both sets of planes with the power of HMCode2020, up to the farthest galaxies."""
        cosmos = cosmology(parameters)
        power = camb_power(parameters, galaxies.z_max, MODEL, galaxies.systematics.log10_T_AGN)
        ell, windows = bandpowers(measured)
        thin = thin_planes(cosmos, galaxies.z_max)
        of_thin = plane_power(ell, cosmos, power, thin, windows=False)
        return cls(ell, windows, cosmos, power, thin, of_thin, lightcone, plane_power(ell, cosmos, power, lightcone))

    def window_spectra(self, exact: Components, galaxies: Galaxies) -> Components:
        """Spectra with the windows of the planes and the box, from exact ones."""
        whole = _plane_sums(self.of_thin, galaxies.kernels(self.cosmos, self.thin))
        left = _plane_sums(self.of_planes, galaxies.kernels(self.cosmos, self.lightcone))
        # components without power, such as alignments at A_IA = 0, stay 0
        ratios = (np.divide(a, b, out=np.zeros_like(a), where=b != 0) for a, b in zip(left, whole, strict=True))
        return Components(*(each * ratio for each, ratio in zip(exact, ratios, strict=True)))

    def frame(self, measured: MeasuredSpectrum, columns: Mapping[str, Float[np.ndarray, "pair ell"]]) -> pd.DataFrame:
        """Spectra as the region measures them, one row per pair and bin, by column."""
        rows = {name: values @ self.windows.T for name, values in columns.items()}
        return pd.DataFrame(
            {"source_1": i, "source_2": j, "low": low} | {name: values[pair][index] for name, values in rows.items()}
            for pair, (i, j) in enumerate(source_pairs(measured.observation.noise.sources))
            for index, low in enumerate(measured.spectrum.ell_edges[:-1])
        )


def _plane_sums(planes: Float[np.ndarray, "plane ell"], kernels: Kernels) -> Components:
    """Spectra of lensing and alignments, as sums over planes."""
    lensing, alignment = np.asarray(kernels.lensing), np.asarray(kernels.alignment)
    GG, II = limber_sum(planes, lensing), limber_sum(planes, alignment)
    return Components(GG, limber_sum(planes, lensing + alignment) - GG - II, II)


def _poisson(spacing: float) -> MatterPower:
    """Power of particles without correlations, one over their number density."""

    class Constant:
        def P(self, z: float, k: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
            return np.full_like(k, spacing**3)

    return MatterPower({"nonlinear": Constant()})
