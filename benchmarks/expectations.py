"""Whether each statistic's mean over the noise, and its derivative, are those of what a survey measures.

    python benchmarks/expectations.py [MAPS] [CONFIG]

Lognormal maps of two source bins are seen through the shape noise of the config, `configs/statistics.yaml` by default.
For each bin of each statistic, the mean of `expected` is compared with that of `measured`, and the derivative of
`expected` with respect to the amplitude of fluctuations with central differences of `measured` with the same seeds. The
table and the figure go to docs/benchmarks.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {"JAX_ENABLE_X64": "1", "EQX_ON_ERROR": "nan"}

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast.bins import bins_of
from lenscast.experiment import Experiment, read
from lenscast.experiment.observation import observation
from lenscast.measurement import noise_maps
from lenscast.plotting import style
from lenscast.statistics import Statistic

ROOT = Path(__file__).parents[1]
FLOOR = 0.03
"""Least convergence of a lognormal map is minus this."""

SMOOTH = ("power_spectrum", "starlet_power_spectrum", "moments", "scattering")
"""Kinds whose differences have no noise of their own, so that the step has to be small."""

TOLERANCE = 3e-3
"""Share of the largest derivative that second-order terms of the differences may have, added to their error."""


def lognormal(key: Any, amplitude: Any, pixels: int, pixel: float) -> Any:
    """Convergence of two correlated source bins whose spectra fall like those of lensing."""
    ell = 2 * np.pi * np.hypot(np.fft.fftfreq(pixels, pixel)[:, None], np.fft.rfftfreq(pixels, pixel))
    power = 2.8e-9 / (1 + (ell / 150) ** 2) ** 0.7 / pixel**2
    power[0, 0] = 0
    rms = np.sqrt(np.mean(np.fft.irfft2(np.sqrt(power), s=(pixels, pixels)) ** 2) * pixels**2)
    white = jax.random.normal(key, (2, pixels, pixels))
    shared, own = jnp.fft.irfft2(jnp.fft.rfft2(white) * np.sqrt(power), s=(pixels, pixels))
    gauss = amplitude / FLOOR * jnp.stack([0.7 * (0.9 * shared + 0.19**0.5 * own), shared])
    variance = (amplitude / FLOOR * np.array([0.7, 1.0]) * rms) ** 2
    return (FLOOR * jnp.expm1(gauss - variance[:, None, None] / 2)).astype(jnp.float32)


def compared(statistic: Statistic, kind: str, described: Experiment, maps: int) -> pd.DataFrame:
    """Means of `measured` and `expected` of each bin, and derivatives of both, with errors and chi^2."""
    observed, lightcone = observation(described), described.lightcone
    step = 0.01 if kind in SMOOTH else 0.1
    pixel = np.radians(lightcone.field_deg) / lightcone.pixels
    shape, rms = (2, lightcone.pixels, lightcone.pixels), observed.noise.rms_maps()

    def one(seed: Any) -> Any:
        noise, key = noise_maps(seed, 0, 0, shape, rms), jax.random.key(seed)

        def kappa(amplitude: Any) -> Any:
            return lognormal(key, amplitude, lightcone.pixels, pixel)

        expected, derivative = jax.jvp(lambda a: statistic.expected(kappa(a), noise, observed), (1.0,), (1.0,))
        here, up, down = (statistic.measured(kappa(1.0 + sign * step), noise, observed) for sign in (0, 1, -1))
        return here, expected, derivative, (up - down) / (2 * step)

    every = jax.jit(lambda seeds: jax.lax.map(one, seeds))(jnp.arange(maps))
    measured, expected, derivative, difference = (np.asarray(each) for each in every)
    scale = np.abs(derivative.mean(axis=0)).max()
    means, derivatives = measured - expected, difference - derivative
    return bins_of([statistic], observed).assign(
        measured=measured.mean(axis=0),
        expected=expected.mean(axis=0),
        error=_error(means),
        derivative=derivative.mean(axis=0),
        difference=difference.mean(axis=0),
        derivative_error=np.hypot(_error(derivatives), TOLERANCE * scale),
        chi2=_chi2(means, 1e-6 * np.abs(expected.mean(axis=0)).max()),
        chi2_derivative=_chi2(derivatives, TOLERANCE * scale),
        variance_ratio=(difference.var(axis=0) / derivative.var(axis=0)),
    )


def _error(values: np.ndarray) -> np.ndarray:
    """Error of the mean."""
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _chi2(values: np.ndarray, tolerance: float) -> float:
    """Chi^2 of the mean, whose true value is 0, with the covariance of the sample and a tolerance in quadrature."""
    mean, covariance = values.mean(axis=0), np.atleast_2d(np.cov(values, rowvar=False)) / len(values)
    return float(mean @ np.linalg.solve(covariance + tolerance**2 * np.eye(len(mean)), mean))


@style.styled
def figure(table: pd.DataFrame) -> Figure:
    """Differences of each bin over their errors, block by block."""
    drawn, axes = style.grid(2, 1, (11, 2.6), sharex=True)
    panels = {
        "mean of measured less mean of expected": "chi2",
        "differences of measured with the same seeds less derivative of expected": "chi2_derivative",
    }
    pairs = (("measured", "expected", "error"), ("difference", "derivative", "derivative_error"))
    starts = table.reset_index(drop=True).groupby("statistic", sort=False).apply(lambda rows: rows.index[0])
    for panel, (title, chi2), (first, second, error) in zip(axes[:, 0], panels.items(), pairs, strict=True):
        panel.axhspan(-1, 1, color="0.9", zorder=0)
        panel.axhline(0, color="0.4", linewidth=0.8)
        # exact to rounding where a statistic is its own mean
        score = (table[first] - table[second]) / table[error].where(table[error] > 0, np.inf)
        panel.plot(np.arange(len(table)), score, ".", markersize=3, color=style.COLOURS[0])
        panel.set_xlim(-1, len(table))
        panel.set_ylim(-4.5, 4.5)
        panel.set_ylabel("difference / its error")
        panel.set_title(title)
        for name, start in starts.items():
            rows = table[table["statistic"] == name]
            panel.axvline(start - 0.5, color="0.7", linewidth=0.6)
            text = f"{rows[chi2].iloc[0]:.0f} / {len(rows)}"
            panel.text(start + len(rows) / 2 - 0.5, 3.4, text, ha="center", fontsize=6.5)
    middles = [start + (table["statistic"] == name).sum() / 2 - 0.5 for name, start in starts.items()]
    axes[1, 0].set_xticks(middles, starts.index, rotation=40, ha="right", rotation_mode="anchor")
    axes[1, 0].tick_params(axis="x", length=0)
    style.note(drawn, "points: bins; numbers: χ² with the covariance of the sample / number of bins")
    return drawn


def main(maps: int, config: Path) -> None:
    """Compare all statistics of a config and write table and figure."""
    described = read(config)
    small = described.lightcone.model_copy(update={"pixels": 128, "field_deg": described.lightcone.field_deg / 2})
    described = described.model_copy(update={"lightcone": small})
    tables = []
    for name, statistic in described.statistics.items():
        kind = statistic.kind or name
        tables.append(compared(statistic, kind, described, maps))
        last = tables[-1]
        print(name, len(last), f"{last['chi2'][0]:.1f} {last['chi2_derivative'][0]:.1f}", flush=True)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "maps", maps)
    path = ROOT / "docs/benchmarks/expectations.csv"
    table.to_csv(path, index=False, float_format="%.5g")
    style.save(figure(table), path.with_suffix(".png"))


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[0]) if words else 512, Path(words[1]) if words[1:] else ROOT / "configs/statistics.yaml")
