"""Noise of the Jacobian per CPU second: averages that are exact where they can be, against a few maps of each box.

    python benchmarks/variance.py RUN [BOXES]

RUN is a finished run that keeps its planes, such as results/default. Each box is measured in two ways:

- `maps`: eight random views of a box, each through 32 maps of shape noise, as `Statistic.expected` has it;
- `averages`: `pipeline.measure`, with spectra over all views, counts on evenly spread views, and noise drawn for each
  stencil by itself.

For each data vector and parameter, the share of noise that one box would leave is compared. The gain is the ratio of
variances over the ratio of CPU times, those of the simulation included. The table goes to docs/benchmarks/variance.csv.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "EQX_ON_ERROR": "nan"}
os.environ |= {"NPROC": "1", "OMP_NUM_THREADS": "1"}

import jax
import numpy as np
import pandas as pd
import yaml

from lenscast import io, pipeline
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.experiment import Experiment, load
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.io.plane_files import load_planes
from lenscast.measurement import MapAndTangents, expected_and_jacobian, joined

ROOT = Path(__file__).parents[1]
VIEWS, DRAWS = 8, 32


def of_maps(experiment: Experiment) -> Callable[..., Any]:
    """Program that averages over a few maps of a box."""
    lightcone = experiment.lightcone.model_copy(update={"realisations_per_box": VIEWS})
    few = experiment.model_copy(update={"lightcone": lightcone})

    def program(planes: Any, seed: Any, theta: Any) -> Any:
        made = pipeline.maps_and_tangents(planes, seed, theta, few)

        def of_map(number: Any) -> Any:
            given = MapAndTangents(made.kappa[number], made.tangents[number], None, seed, number)
            parts = expected_and_jacobian(given, few, draws=DRAWS, quantity="expected")
            return joined(parts, few.statistics)

        return jax.tree.map(lambda each: each.mean(axis=0), jax.lax.map(of_map, jax.numpy.arange(VIEWS)))

    return jax.jit(program)


def measured(program: Callable[..., Any], run: Path, boxes: int, theta: Any) -> tuple[list[Any], list[int], float]:
    """Results and seeds of the boxes of a run, and CPU seconds of a box without compilation."""
    made, seeds, seconds = [], [], []
    for path in sorted((run / "planes/fiducial").glob("*.h5")):
        for number, seed in enumerate(io.load(path, names=[]).coordinates["box"]["seed"].tolist()):
            if len(seeds) == boxes:
                return made, seeds, float(np.median(seconds[1:]))
            planes, start = load_planes(path, number), time.process_time()
            made.append(jax.block_until_ready(program(planes, seed, theta)))
            seconds.append(time.process_time() - start)
            seeds.append(seed)
    return made, seeds, float(np.median(seconds[1:]))


def main(run: Path, boxes: int) -> None:
    """Measure the boxes of a run in both ways and write the table."""
    summaries = io.load_summaries(run / "covariance/summaries.h5")
    experiment = load(yaml.safe_load(io.load(run / "derivatives/jacobians.h5", names=[]).provenance["config"]))
    theta = pipeline.fiducial(experiment)
    with_tangents = jax.jit(lambda seed, p: pipeline.planes_and_tangents(seed, p, experiment, correction))
    correction, cost = io.correction_of(experiment.simulation), []
    for seed in (0, 1, 2):
        start = time.process_time()
        jax.block_until_ready(with_tangents(seed, theta.cosmology))
        cost.append(time.process_time() - start)
    simulation = float(np.median(cost[1:]))
    programs = {
        "maps": of_maps(experiment),
        "averages": jax.jit(lambda planes, seed, theta: pipeline.measure(planes, seed, theta, experiment)),
    }
    shares, seconds = {}, {}
    for name, program in programs.items():
        results, seeds, own = measured(program, run, boxes, theta)
        seconds[name] = simulation + own
        expected, jacobian = (np.stack(each) for each in zip(*results, strict=True))
        sample = Jacobians(jacobian, expected, np.array(seeds), jacobian_parameters(experiment), bin_table(experiment))
        known = summaries if name == "averages" else SummarySample(*summaries[:3])
        for vector, forecast in pipeline.forecast(known, sample, experiment).items():
            estimate, priors = forecast.estimate, experiment.priors
            inverse = estimate.fisher("cross", priors).with_priors(priors).inverse().matrix
            shares[name, vector] = (inverse, estimate.bias, estimate.names)
    rows = []
    for vector in experiment.forecast.data_vectors:
        inverse, _, names = shares["averages", vector]
        noise = {name: np.diag(inverse @ shares[name, vector][1] @ inverse) for name in programs}
        for row, parameter in enumerate(names):
            ratio, cost_ratio = noise["maps"][row] / noise["averages"][row], seconds["maps"] / seconds["averages"]
            rows.append(
                {
                    "data_vector": vector,
                    "parameter": parameter,
                    "variance_ratio": ratio,
                    "cpu_s_maps": seconds["maps"],
                    "cpu_s_averages": seconds["averages"],
                    "gain": ratio * cost_ratio,
                    "boxes_for_share_05_maps": boxes * noise["maps"][row] / inverse[row, row] / 0.05,
                    "boxes_for_share_05_averages": boxes * noise["averages"][row] / inverse[row, row] / 0.05,
                }
            )
    table = pd.DataFrame(rows)
    table.to_csv(ROOT / "docs/benchmarks/variance.csv", index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3g}"), f"simulation {simulation:.2f} CPU s a box")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
