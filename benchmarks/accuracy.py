"""Error of spectra and peak counts against run time, for each setting of a simulation.

    python benchmarks/accuracy.py                     every variant, compared with a higher-resolution simulation
    python benchmarks/accuracy.py --boxes 1 --refinement 2

Each variant changes one setting of a baseline: the default experiment with 64^3 particles, 8 steps and planes of 512^2.
All variants have the initial phases and the views of the higher-resolution simulation (more particles per side, more
steps, planes of 2048^2), so that sample variance drops out of the ratios. The table and the figure go to
benchmarks/results.
"""

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

os.environ["EQX_ON_ERROR"] = "nan"  # as in the workflow's jobs: JAX never caches programs with host callbacks

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast import io
from lenscast.bins import bin_table
from lenscast.experiment import Experiment, read
from lenscast.gravity import AdaptiveSteps, FixedSteps
from lenscast.pipeline import Theta, fiducial, maps, summarise
from lenscast.plotting import style

jax.config.update("jax_enable_x64", True)

ROOT = Path(__file__).parents[1]
ELL_MAX = 1008  # most of the information of the default experiment comes from multipoles below it
NOISE_DRAWS = 8
TIME = "CPU time [s]"
PARTICLES, PLANE_MESH = 64, 512


class Variant(NamedTuple):
    """A simulation with one setting of its own.

    Attributes
    ----------
    group
        The setting and the correction; a line of the figure.
    name
        Value of the setting.
    changes
        Keys of the sections `simulation` and `lightcone` with other values.
    correction
        Name of the weights of the correction; None for no correction.
    """

    group: str
    name: str
    changes: Mapping[str, Any]
    correction: str | None


def variants() -> list[Variant]:
    """All variants, one setting after another, without and with corrections."""
    steps = {f"bullfrog {n}": _steps(n) for n in (3, 5, 8, 20)}
    steps["fastpm 8"] = {"integrator": FixedSteps(kind="fastpm", steps=8)}
    for kind, tol in (("tsit5", 1e-2), ("dopri5", 1e-3)):
        steps[f"{kind} {tol:g}"] = {"integrator": AdaptiveSteps(kind=kind, rtol=tol, atol=tol)}
    listed = [Variant("time steps", name, changes, None) for name, changes in steps.items()]
    listed += [Variant("time steps, HPN", f"bullfrog {n}", _steps(n), "hpn") for n in (3, 5, 8, 20)]
    for correction, label in ((None, ""), ("hpn", ", HPN"), ("pgd", ", PGD")):
        listed += [Variant(f"particles{label}", f"{n}^3", {"particles": n}, correction) for n in (32, 64, 128)]
        listed += [Variant(f"planes{label}", f"{n}^2", {"plane_mesh": n}, correction) for n in (256, 512, 1024)]
    listed += [Variant("force mesh", "factor 2", {"mesh_factor": 2}, None)]
    return listed


def _steps(number: int) -> dict[str, Any]:
    return {"integrator": FixedSteps(kind="bullfrog", steps=number)}


def changed(experiment: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """The experiment with other values of keys of the sections `simulation` and `lightcone`."""
    sections = {"simulation": experiment.simulation, "lightcone": experiment.lightcone}
    update = {}
    for name, section in sections.items():
        own = {key: value for key, value in changes.items() if key in type(section).model_fields}
        update[name] = section.model_copy(update=own)
    return experiment.model_copy(update=update)


class Measured(NamedTuple):
    """Data vectors of all maps, and the CPU time of a box without compilation [s]."""

    vectors: np.ndarray
    seconds: float


def measured(experiment: Experiment, weights: str | None, seeds: range, data_vector) -> Measured:
    """Simulate boxes, and measure all their maps.

    Parameters
    ----------
    experiment
        Simulation and maps.
    weights
        Name of the weights of the correction; None for no correction.
    seeds
        Seeds of the boxes.
    data_vector
        Function of a map, its seed and its realisation.
    """
    correction = io.load_correction(weights).correction if weights else None
    parameters, systematics = fiducial(experiment)
    of_box = jax.jit(
        lambda seed, parameters, correction: maps(seed, Theta(parameters, systematics), experiment, correction)
    )
    jax.block_until_ready(of_box(seeds[0], parameters, correction))
    start = time.process_time()
    boxes = [jax.block_until_ready(of_box(seed, parameters, correction)) for seed in seeds]
    seconds = (time.process_time() - start) / len(seeds)
    vectors = [
        np.asarray(data_vector(kappa, seed, number))
        for seed, box in zip(seeds, boxes, strict=True)
        for number, kappa in enumerate(box)
    ]
    return Measured(np.array(vectors), seconds)


def errors(vectors: np.ndarray, reference: np.ndarray, table: pd.DataFrame) -> dict[str, float]:
    """Errors of mean data vectors: the worst bin of the spectrum, and the share of the peaks in a wrong bin."""
    ratio = vectors.mean(axis=0) / reference.mean(axis=0) - 1
    spectrum = (table["statistic"] == "power_spectrum").to_numpy()
    low = spectrum & (table["high"] <= ELL_MAX).to_numpy()
    found = {"C_ell, ell < 1008": np.abs(ratio[low]).max(), "C_ell, ell < 2160": np.abs(ratio[spectrum]).max()}
    peaks = table[table["statistic"] == "peaks"]
    for scale, rows in peaks.groupby("scale_arcmin"):
        counts, expected = vectors[:, rows.index].mean(axis=0), reference[:, rows.index].mean(axis=0)
        found[f"peaks, {scale:.3g} arcmin"] = np.abs(counts - expected).sum() / expected.sum()
    return found


@style.styled
def figure(frame: pd.DataFrame) -> Figure:
    """Error against time: a panel for each statistic, a line for each group, a colour for each correction."""
    quantities = [column for column in frame.columns if column not in ("group", "variant", TIME)]
    drawn, panels = style.grid(1, len(quantities), (3.4, 3.2), sharex=True)
    parts = [group.partition(", ") for group in dict.fromkeys(frame["group"])]
    colours = dict(zip(dict.fromkeys(kind for *_, kind in parts), style.COLOURS, strict=False))
    markers = dict(zip(dict.fromkeys(what for what, *_ in parts), style.MARKERS, strict=False))
    for panel, quantity in zip(panels[0], quantities, strict=True):
        for group, rows in frame.groupby("group", sort=False):
            what, _, kind = group.partition(", ")
            look = {"marker": markers[what], "color": colours[kind], "linewidth": 0.8}
            panel.plot(rows[TIME], 100 * rows[quantity], label=group, **look)
        panel.set(xscale="log", yscale="log", title=quantity.replace("C_ell, ell", "$C_\\ell$, $\\ell$"))
        panel.set_xlabel(f"{TIME.replace(' [s]', '')} of a box [s]")
        for axis in (panel.xaxis, panel.yaxis):
            style.plain_ticks(axis)
    panels[0, 0].set_ylabel("error [%]")
    drawn.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=2, help="boxes of each variant (2)")
    parser.add_argument("--refinement", type=int, default=4, help="particles per side of the reference / 64 (4)")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results", help="folder of the results")
    options = parser.parse_args()

    default = read(ROOT / "config.yaml")
    default = default.measuring(*(name for name in default.statistics if "starlet" not in name))
    finest = options.refinement * PARTICLES
    # all variants draw the noise of the initial field on the lattice of the reference, so that they share its phases
    baseline = {"noise_size": finest, "particles": PARTICLES, "plane_mesh": PLANE_MESH, **_steps(8)}
    plain, seeds = changed(default, baseline), range(options.boxes)
    data_vector = jax.jit(lambda kappa, seed, number: summarise(kappa, seed, number, default, NOISE_DRAWS).expected)

    refined = changed(plain, {"particles": finest, "plane_mesh": 4 * PLANE_MESH, **_steps(40)})
    reference = measured(refined, None, seeds, data_vector)
    table, rows = bin_table(default), []
    for variant in variants():
        result = measured(changed(plain, variant.changes), variant.correction, seeds, data_vector)
        found = errors(result.vectors, reference.vectors, table)
        rows.append({"group": variant.group, "variant": variant.name, TIME: result.seconds, **found})
        values = [f"{value:.3g}" if isinstance(value, float) else value for value in rows[-1].values()]
        print(*values, flush=True)
    frame = pd.DataFrame(rows)
    frame.to_csv(options.output / "accuracy.csv", index=False, float_format="%.4g")
    style.save(figure(frame), options.output / "accuracy.png")


if __name__ == "__main__":
    main()
