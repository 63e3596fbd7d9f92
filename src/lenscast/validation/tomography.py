"""Tomographic spectra of simulated maps, lensing and alignments apart, compared with CCL.

Convention: maps are linear in A_IA, so that the tangents stored with them split each map into lensing and alignments;
no map is simulated again. Kernels, Limber integral and alignments of theory are CCL's. Two sums over planes, with and
without the windows of the planes and the box, give the ratio by which CCL's spectra are multiplied, and the region that
is measured mixes their multipoles. Theory does not know the resolution of particles and force mesh.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Float32, Float64, Int

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.fisher.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.lensing import Kernels, limber_sum
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory import (
    Components,
    Galaxies,
    MatterPower,
    MeasuredSpectrum,
    bandpowers,
    camb_power,
    ccl_components,
    plane_power,
    thin_planes,
)

__all__ = [
    "COMPONENTS",
    "compared",
    "compared_derivatives",
    "measured_components",
    "theory_components",
    "theory_derivatives",
]

COMPONENTS = Components._fields
MODEL = "mead2020"


def measured_components(
    kappa: Float32[Array, "source y x"], alignment: Float32[Array, "source y x"], measured: MeasuredSpectrum
) -> Float64[Array, "component bin"]:
    """Spectra of a noise-free map, lensing and alignments apart [sr], in the bins of the statistic.

    Parameters
    ----------
    kappa
        Convergence of each source, alignments included.
    alignment
        Part of the convergence that alignments mimic.
    measured
        Statistic, with the region in which it measures.
    """
    spectrum, observation = measured
    maps = jnp.concatenate([kappa - alignment, alignment])
    every_pair = source_pairs(len(maps))
    # no noise; lensing and alignments go in as maps of twice the number of sources, whose pairs are GG, GI and II
    every = spectrum.measured(maps, jnp.zeros_like(maps), observation).reshape(len(every_pair), -1)
    sources, wanted = len(kappa), source_pairs(len(kappa))
    position = {pair: index for index, pair in enumerate(every_pair)}
    GG = jnp.array([position[i, j] for i, j in wanted])
    II = jnp.array([position[sources + i, sources + j] for i, j in wanted])
    GI, IG = (jnp.array([position[i, sources + j] for i, j in each]) for each in (wanted, [p[::-1] for p in wanted]))
    return jnp.stack([every[GG], every[GI] + every[IG], every[II]]).reshape(3, -1)


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
    sky = _Sky.of(parameters, galaxies, measured, lightcone)
    exact = ccl_components(sky.ell, parameters, galaxies, sky.power)
    seen = sky.seen(exact, galaxies)
    kernel = np.asarray(galaxies.kernels(sky.cosmos, lightcone).lensing)
    shot = limber_sum(plane_power(sky.ell, sky.cosmos, _poisson(spacing), lightcone), kernel)
    frames = [sky.frame(measured, {"ccl": c, "theory": t}) for c, t in zip(exact, seen, strict=True)]
    frames[0]["shot"] = sky.frame(measured, {"shot": shot})["shot"]
    return pd.concat(frames, keys=COMPONENTS, names=["component"]).reset_index("component").reset_index(drop=True)


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
    sky, frames = _Sky.of(parameters, galaxies, measured, lightcone), {}

    def total(moved: Galaxies) -> Float[np.ndarray, "pair ell"]:
        return np.sum(sky.seen(ccl_components(sky.ell, parameters, moved, sky.power), moved), axis=0)

    here = total(galaxies)
    for name, step in steps.items():
        plus, minus = (total(galaxies.moved(name, sign * step)) for sign in (1, -1))
        frame = sky.frame(measured, {"slope": (plus - minus) / (2 * step), "here": here})
        frames[name] = frame.assign(theory=frame["slope"] / frame["here"]).drop(columns=["slope", "here"])
    return pd.concat(frames, names=["parameter"]).reset_index("parameter").reset_index(drop=True)


class _Sky(NamedTuple):
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
    def of(cls, parameters: Parameters, galaxies: Galaxies, measured: MeasuredSpectrum, lightcone: Lightcone) -> "_Sky":
        """Both sets of planes with the power of HMCode2020, up to the farthest galaxies."""
        cosmos = jax.jit(cosmology)(parameters)
        power = camb_power(parameters, galaxies.z_max, MODEL, galaxies.systematics.log10_T_AGN)
        ell, windows = bandpowers(measured)
        thin = thin_planes(cosmos, galaxies.z_max)
        of_thin = plane_power(ell, cosmos, power, thin, windows=False)
        return cls(ell, windows, cosmos, power, thin, of_thin, lightcone, plane_power(ell, cosmos, power, lightcone))

    def seen(self, exact: Components, galaxies: Galaxies) -> Components:
        """Spectra with the windows of the planes and the box, from exact ones."""
        whole = _parts(self.of_thin, galaxies.kernels(self.cosmos, self.thin))
        left = _parts(self.of_planes, galaxies.kernels(self.cosmos, self.lightcone))
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


def _parts(planes: Float[np.ndarray, "plane ell"], kernels: Kernels) -> Components:
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


def compared(
    measured: Float[np.ndarray, "map component bin"],
    box: Int[np.ndarray, " map"],
    bins: pd.DataFrame,
    theory: pd.DataFrame,
    limit: Float[np.ndarray, " source"],
) -> pd.DataFrame:
    """Measured spectra compared with theory, one row per component, pair and bin.

    Parameters
    ----------
    measured
        Spectra of each map, from `measured_components`.
    box
        Seed of the box of each map.
    bins
        Bins of the statistic.
    theory
        Table of `theory_components`.
    limit
        Multipole of each source up to which particles resolve the matter that lenses it.

    Returns
    -------
    Columns: those of `theory_components`; high and centre of the bin; measured and its error; ratio to theory and its
    error; resolved, whether the bin ends below the limit of both sources. Errors are from the jackknife over boxes.
    """
    means = box_means(measured, box).mean
    mean, error = means.mean(axis=0), jackknife_error(leave_one_out_means(means))
    keys = ["component", "source_1", "source_2", "low"]
    parts = [
        bins[["source_1", "source_2", "low", "high", "centre"]].assign(component=name, measured=value, error=spread)
        for name, value, spread in zip(COMPONENTS, mean, error, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True).merge(theory, on=keys, how="left", validate="one_to_one")
    return table.assign(
        ratio=table["measured"] / table["theory"],
        ratio_error=table["error"] / table["theory"].abs(),
        resolved=_resolved(table, limit),
    )


def compared_derivatives(
    jacobian: Float[np.ndarray, "box param bin"],
    signal: Float[np.ndarray, "box bin"],
    names: Sequence[str],
    bins: pd.DataFrame,
    theory: pd.DataFrame,
    limit: Float[np.ndarray, " source"],
) -> pd.DataFrame:
    """Automatic derivatives of ln C_ell with respect to nuisance parameters compared with theory.

    The table has one row per parameter, pair and bin. Power that particles do not resolve is missing in the derivative
    and in the spectrum, so that much of the loss cancels in the ratio; it does not cancel in full, since the nearest
    planes lose most.

    Parameters
    ----------
    jacobian
        Mean over the maps of each box.
    signal
        Data vector, mean over the maps of each box, with the mean of the noise subtracted.
    names
        Parameters of the Jacobian.
    bins
        Bins of the power spectrum, to whose elements Jacobian and signal are restricted.
    theory
        Table of `theory_derivatives`.
    limit
        As for `compared`.

    Returns
    -------
    Columns: those of `theory_derivatives`; high and centre of the bin; measured and its error, from the jackknife over
    boxes; resolved, as for `compared`.
    """
    shown, parts = bins[["source_1", "source_2", "low", "high", "centre"]], []
    for name in theory["parameter"].unique():
        slope = jacobian[:, list(names).index(name)]
        error = jackknife_error(leave_one_out_means(slope) / leave_one_out_means(signal))
        measured = slope.mean(axis=0) / signal.mean(axis=0)
        parts.append(shown.assign(parameter=name, measured=measured, error=error))
    keys = ["parameter", "source_1", "source_2", "low"]
    table = pd.concat(parts, ignore_index=True).merge(theory, on=keys, how="left", validate="one_to_one")
    return table.assign(resolved=_resolved(table, limit))


def _resolved(table: pd.DataFrame, limit: Float[np.ndarray, " source"]) -> pd.Series:
    """Whether bins end below the limit of both sources."""
    nearest = np.minimum(limit[table["source_1"].astype(int)], limit[table["source_2"].astype(int)])
    return table["high"] <= nearest
