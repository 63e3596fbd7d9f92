"""Error of spectra and peak counts against run time: what the settings of a simulation buy.

    python benchmarks/accuracy.py                     every variant beside a finer simulation
    python benchmarks/accuracy.py --boxes 1 --refinement 2

Each variant changes a setting of a baseline: the default experiment with 64^3 particles, 8 steps and planes of 512^2.
All share the phases and the orientations of a finer simulation (more particles per side, more steps, planes of 2048^2),
so that sample variance drops out of the ratios. The table and the figure go to benchmarks/results.
"""

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ["EQX_ON_ERROR"] = "nan"

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lenscast import io
from lenscast.config import read_config
from lenscast.cosmology import Parameters
from lenscast.gravity import Adaptive, FixedSteps
from lenscast.lensing import AlignmentModel, Sources, Systematics, shape_noise_rms
from lenscast.plotting import style
from lenscast.simulate import Simulation, convergence_maps
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.summarise import bin_table, summarise

jax.config.update("jax_enable_x64", True)

ROOT = Path(__file__).parents[1]
ELL_MAX = 1008  # the multipoles that most of the information of the default experiment comes from
NOISE_DRAWS = 8
TIME = "CPU time [s]"
PARTICLES, PLANE_MESH = 64, 512


class Variant(NamedTuple):
    """A simulation by what is special about it."""

    group: str
    name: str
    changes: Mapping[str, Any]
    correction: str | None


def variants() -> list[Variant]:
    """Settings one by one, without a correction and with one."""
    steps = {f"{kind} {n}": FixedSteps(kind, n) for kind, n in [("bullfrog", n) for n in (3, 5, 8, 20)]}
    steps["fastpm 8"] = FixedSteps("fastpm", 8)
    steps |= {f"{kind} {tol:g}": Adaptive(kind, tol, tol) for kind, tol in (("tsit5", 1e-2), ("dopri5", 1e-3))}
    listed = [Variant("time steps", name, {"integrator": value}, None) for name, value in steps.items()]
    listed += [Variant("time steps, HPN", f"bullfrog {n}", _steps(n), "hpn") for n in (3, 5, 8, 20)]
    for correction, label in ((None, ""), ("hpn", ", HPN"), ("pgd", ", PGD")):
        listed += [Variant(f"particles{label}", f"{n}^3", {"particles": n}, correction) for n in (32, 64, 128)]
        listed += [Variant(f"planes{label}", f"{n}^2", {"plane_mesh": n}, correction) for n in (256, 512, 1024)]
    listed += [Variant("force mesh", "factor 2", {"mesh_factor": 2}, None)]
    return listed


def _steps(number: int) -> dict[str, Any]:
    return {"integrator": FixedSteps("bullfrog", number)}


def changed(simulation: Simulation, changes: Mapping[str, Any]) -> Simulation:
    """The simulation with other settings, whose places in it differ."""
    of_mesh = {key: value for key, value in changes.items() if key in ("particles", "mesh_factor")}
    of_planes = {key: value for key, value in changes.items() if key == "plane_mesh"}
    rest = {key: value for key, value in changes.items() if key not in of_mesh | of_planes}
    mesh, lightcone = replace(simulation.mesh, **of_mesh), replace(simulation.lightcone, **of_planes)
    return replace(simulation, mesh=mesh, lightcone=lightcone, **rest)


class Measured(NamedTuple):
    """Data vectors of all maps, and the time of one box once compiled [s]."""

    vectors: np.ndarray
    seconds: float


def measured(simulation: Simulation, correction: str | None, seeds: range, parameters: Parameters, of_map) -> Measured:
    weights = io.load_correction(correction).correction if correction else None
    unknown = Systematics.from_values({}, len(simulation.sources))
    maps = jax.jit(partial(convergence_maps, systematics=unknown, simulation=simulation))
    jax.block_until_ready(maps(seeds[0], parameters, correction=weights))
    vectors, start = [], time.process_time()
    boxes = [jax.block_until_ready(maps(seed, parameters, correction=weights)) for seed in seeds]
    seconds = (time.process_time() - start) / len(seeds)
    for seed, box in zip(seeds, boxes, strict=True):
        vectors += [np.asarray(of_map(kappa, seed, number)) for number, kappa in enumerate(box)]
    return Measured(np.array(vectors), seconds)


def errors(vectors: np.ndarray, reference: np.ndarray, table: pd.DataFrame) -> dict[str, float]:
    """Mean error of the spectra, the worst bin below ELL_MAX, and of peaks, the share that is in a wrong bin."""
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
    """Error against time, one panel a statistic, one line a group of variants; colours tell corrections apart."""
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
    parser.add_argument("--refinement", type=int, default=4, help="particles per side of the finer simulation (4 x)")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results", help="folder of the results")
    options = parser.parse_args()

    config = read_config(ROOT / "config.yaml")
    alignment = AlignmentModel(config.systematics.C1_rho_crit, config.systematics.z_pivot)
    sources = Sources.from_config(config.survey.sources)
    plain = Simulation.from_config(config.simulation, config.lightcone, sources, alignment)
    finest = options.refinement * PARTICLES
    plain = changed(replace(plain, noise_size=finest), {"particles": PARTICLES, "plane_mesh": PLANE_MESH, **_steps(8)})
    lightcone, survey = config.lightcone, config.survey
    noise = ShapeNoise(tuple(shape_noise_rms(survey.sigma_e, n, lightcone.pixel_arcmin) for n in survey.n_gal))
    sections = {name: section for name, section in config.statistics if section and "starlet" not in name}
    sections = {name: section.model_dump(exclude_none=True) for name, section in sections.items()}
    statistics = statistics_from_config(sections, lightcone.pixels, lightcone.field_deg, noise)
    of_map = jax.jit(lambda kappa, seed, number: summarise(kappa, seed, number, statistics, NOISE_DRAWS).expected)
    seeds, parameters = range(options.boxes), Parameters.from_config(config.cosmology.model_dump())

    finer = changed(plain, {"particles": finest, "plane_mesh": 4 * PLANE_MESH, **_steps(40)})
    reference = measured(finer, None, seeds, parameters, of_map)
    table, rows = bin_table(statistics), []
    for variant in variants():
        simulation = changed(plain, variant.changes)
        result = measured(simulation, variant.correction, seeds, parameters, of_map)
        found = errors(result.vectors, reference.vectors, table)
        rows.append({"group": variant.group, "variant": variant.name, TIME: result.seconds, **found})
        print(
            " ".join(f"{value:.3g}" if isinstance(value, float) else value for value in rows[-1].values()), flush=True
        )
    frame = pd.DataFrame(rows)
    frame.to_csv(options.output / "accuracy.csv", index=False, float_format="%.4g")
    style.save(figure(frame), options.output / "accuracy.png")


if __name__ == "__main__":
    main()
