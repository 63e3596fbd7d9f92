"""Tomographic spectra of simulated maps, lensing and alignments apart, beside those of CCL.

Convention: alignments are linear in A_IA, so that the tangents stored with the maps split each map into lensing and
alignments: no map is made again. Theory goes through what the maps go through (planes, their windows, the box, the
region that is measured) by the ratio of two sums over planes, with and without; its kernels, Limber integral and
alignments are CCL's. It does not know the resolution of particles and force mesh.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Float32, Float64, Int

from lenscast.cosmology import Cosmology, Parameters, cosmology
from lenscast.forecast.boxes import box_means, jackknife_error, leave_one_out_means
from lenscast.lensing import Lightcone, Weights
from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.theory import (
    Components,
    Galaxies,
    MatterPower,
    ccl_components,
    matter_power,
    pairs,
    plane_power,
    plane_sum,
    seen_by,
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
    kappa: Float32[Array, "source y x"], alignment: Float32[Array, "source y x"], spectrum: PowerSpectrum
) -> Float64[Array, "component bin"]:
    """Spectra of a noise-free map, lensing and alignments apart [sr], bins as of the statistic.

    Parameters
    ----------
    kappa : convergence of each source, alignments included.
    alignment : the part of it that alignments mimic.
    spectrum : statistic for these sources.
    """
    sources = len(kappa)
    silent = ShapeNoise(2 * spectrum.noise.rms, spectrum.noise.depth, spectrum.noise.max_masked)
    both = PowerSpectrum(spectrum.name, spectrum.region, silent, spectrum.ell_edges, spectrum.levels)
    maps = jnp.concatenate([kappa - alignment, alignment])
    every = both.measured(maps, jnp.zeros_like(maps)).reshape(len(both.pairs), -1)
    position = {pair: index for index, pair in enumerate(both.pairs)}
    wanted = pairs(sources)
    GG = jnp.array([position[i, j] for i, j in wanted])
    II = jnp.array([position[sources + i, sources + j] for i, j in wanted])
    GI, IG = (jnp.array([position[i, sources + j] for i, j in each]) for each in (wanted, [p[::-1] for p in wanted]))
    return jnp.stack([every[GG], every[GI] + every[IG], every[II]]).reshape(3, -1)


def theory_components(
    parameters: Parameters, galaxies: Galaxies, spectrum: PowerSpectrum, lightcone: Lightcone, spacing: float
) -> pd.DataFrame:
    """Spectra of CCL on HMCode2020 (with feedback, if there is any), one row per component, pair and bin.

    Columns: component, source_1, source_2, low; ccl, the mean of Limber's spectrum over the bin as maps measure it, and
    theory, seen through the planes' windows and the box [sr]; for GG also shot, the shot noise of particles that are
    Poisson distributed, to which those of a simulation come up only after they have left their lattice.

    Parameters
    ----------
    parameters : cosmological parameters.
    galaxies : sources and nuisance parameters.
    spectrum : statistic that measures the maps.
    lightcone : planes.
    spacing : of the particles [Mpc/h].

    Raises
    ------
    ValueError : without CAMB or CCL, or as `ccl_components`.

    References: Mead et al. (2021), arXiv:2009.01858; Chisari et al. (2019), arXiv:1812.05995.
    """
    sky = _Sky.of(parameters, galaxies, spectrum, lightcone)
    exact = ccl_components(sky.ell, parameters, galaxies, sky.power)
    seen = sky.seen(exact, galaxies)
    weights = np.asarray(galaxies.weights(sky.cosmos, lightcone).lensing)
    shot = plane_sum(plane_power(sky.ell, sky.cosmos, _poisson(spacing), lightcone), weights)
    frames = [sky.frame(spectrum, {"ccl": c, "theory": t}) for c, t in zip(exact, seen, strict=True)]
    frames[0]["shot"] = sky.frame(spectrum, {"shot": shot})["shot"]
    return pd.concat(frames, keys=COMPONENTS, names=["component"]).reset_index("component").reset_index(drop=True)


def theory_derivatives(
    parameters: Parameters,
    galaxies: Galaxies,
    spectrum: PowerSpectrum,
    lightcone: Lightcone,
    steps: Mapping[str, float],
) -> pd.DataFrame:
    """Derivatives of ln C_ell by nuisance parameters, of CCL, seen through the windows, a row per parameter, pair, bin.

    Columns: parameter, source_1, source_2, low; theory, by central differences [per unit of the parameter].

    Parameters
    ----------
    parameters, galaxies, spectrum, lightcone : as of `theory_components`.
    steps : by parameter; of those that do not change the matter power.
    """
    sky, frames = _Sky.of(parameters, galaxies, spectrum, lightcone), {}

    def total(moved: Galaxies) -> Float[np.ndarray, "pair ell"]:
        return np.sum(sky.seen(ccl_components(sky.ell, parameters, moved, sky.power), moved), axis=0)

    here = total(galaxies)
    for name, step in steps.items():
        plus, minus = (total(galaxies.moved(name, sign * step)) for sign in (1, -1))
        frame = sky.frame(spectrum, {"slope": (plus - minus) / (2 * step), "here": here})
        frames[name] = frame.assign(theory=frame["slope"] / frame["here"]).drop(columns=["slope", "here"])
    return pd.concat(frames, names=["parameter"]).reset_index("parameter").reset_index(drop=True)


class _Sky(NamedTuple):
    """Matter on two sets of planes: thin ones, which are an integral, and those of the maps with their windows."""

    ell: Float[np.ndarray, " ell"]
    windows: Float[np.ndarray, "bin ell"]
    cosmos: Cosmology
    power: MatterPower
    thin: Lightcone
    of_thin: Float[np.ndarray, "thin ell"]
    lightcone: Lightcone
    of_planes: Float[np.ndarray, "plane ell"]

    @classmethod
    def of(cls, parameters: Parameters, galaxies: Galaxies, spectrum: PowerSpectrum, lightcone: Lightcone) -> "_Sky":
        """HMCode2020 up to the last galaxies."""
        cosmos = jax.jit(cosmology)(parameters)
        power = matter_power(parameters, galaxies.z_max, MODEL, galaxies.systematics.log10_T_AGN)
        ell, windows = seen_by(spectrum)
        thin = thin_planes(cosmos, galaxies.z_max)
        of_thin = plane_power(ell, cosmos, power, thin, windows=False)
        return cls(ell, windows, cosmos, power, thin, of_thin, lightcone, plane_power(ell, cosmos, power, lightcone))

    def seen(self, exact: Components, galaxies: Galaxies) -> Components:
        """What planes, their windows and the box leave of spectra."""
        whole = _parts(self.of_thin, galaxies.weights(self.cosmos, self.thin))
        left = _parts(self.of_planes, galaxies.weights(self.cosmos, self.lightcone))
        ratios = (np.divide(a, b, out=np.zeros_like(a), where=b != 0) for a, b in zip(left, whole, strict=True))
        return Components(*(each * ratio for each, ratio in zip(exact, ratios, strict=True)))

    def frame(self, spectrum: PowerSpectrum, columns: Mapping[str, Float[np.ndarray, "pair ell"]]) -> pd.DataFrame:
        """Spectra as the region measures them, one row per pair and bin."""
        rows = {name: values @ self.windows.T for name, values in columns.items()}
        return pd.DataFrame(
            {"source_1": i, "source_2": j, "low": low} | {name: values[pair][index] for name, values in rows.items()}
            for pair, (i, j) in enumerate(spectrum.pairs)
            for index, low in enumerate(spectrum.ell_edges[:-1])
        )


def _parts(planes: Float[np.ndarray, "plane ell"], weights: Weights) -> Components:
    """Lensing and alignments apart, as sums over planes."""
    lensing, alignment = np.asarray(weights.lensing), np.asarray(weights.alignment)
    GG, II = plane_sum(planes, lensing), plane_sum(planes, alignment)
    return Components(GG, plane_sum(planes, lensing + alignment) - GG - II, II)


def _poisson(spacing: float) -> MatterPower:
    """The power of particles without correlations."""

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
    """Measured spectra beside theory, one row per component, pair and bin.

    Columns: those of `theory_components`; high and centre of the bin; measured and its error; ratio to theory and its
    error; resolved, whether the bin ends below the limit of both sources. Errors by jackknife over boxes.

    Parameters
    ----------
    measured : of `measured_components`, by map.
    box : seed of the box of each map.
    bins : of the statistic.
    theory : of `theory_components`.
    limit : multipole of each source up to which particles resolve what lenses it.
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
    """Automatic derivatives of ln C_ell by nuisance parameters beside theory's, one row per parameter, pair and bin.

    Columns: those of `theory_derivatives`; high and centre of the bin; measured and its error by jackknife over boxes;
    resolved, as of `compared`. What is not resolved is missing in both, but from the nearest planes most.

    Parameters
    ----------
    jacobian : mean of the maps of each box.
    signal : data vector in the same way, noise subtracted.
    names : parameters of the Jacobian.
    bins : of the data vector; those of the power spectrum are compared.
    theory : of `theory_derivatives`.
    limit : as of `compared`.
    """
    rows = (bins["statistic"] == "power_spectrum").to_numpy()
    shown = bins.loc[rows, ["source_1", "source_2", "low", "high", "centre"]]
    parts, spectrum = [], signal[:, rows]
    for name in theory["parameter"].unique():
        slope = jacobian[:, list(names).index(name)][:, rows]
        error = jackknife_error(leave_one_out_means(slope) / leave_one_out_means(spectrum))
        measured = slope.mean(axis=0) / spectrum.mean(axis=0)
        parts.append(shown.assign(parameter=name, measured=measured, error=error))
    keys = ["parameter", "source_1", "source_2", "low"]
    table = pd.concat(parts, ignore_index=True).merge(theory, on=keys, how="left", validate="one_to_one")
    return table.assign(resolved=_resolved(table, limit))


def _resolved(table: pd.DataFrame, limit: Float[np.ndarray, " source"]) -> pd.Series:
    """Whether bins end below the limit of both sources."""
    nearest = np.minimum(limit[table["source_1"].astype(int)], limit[table["source_2"].astype(int)])
    return table["high"] <= nearest
