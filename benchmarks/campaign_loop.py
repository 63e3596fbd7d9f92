"""The batches of a campaign in a bare loop: what a script without a workflow does.

    python campaign_loop.py CONFIG PART PARTS

This is one of PARTS processes. It computes the batches PART, PART + PARTS, PART + 2 PARTS, ... with the functions that
the workflow's jobs call, and writes the same arrays to files.
"""

import os
import sys
from pathlib import Path

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "EQX_ON_ERROR": "nan"}
os.environ |= {"NPROC": "1", "OMP_NUM_THREADS": "1"}

import jax
import numpy as np

from lenscast import io
from lenscast.bins import bin_table, jacobian_parameters
from lenscast.experiment import read
from lenscast.io.plane_files import plane_variables
from lenscast.lens_tangents import cosmological_tangents
from lenscast.lensing import redshift_distributions
from lenscast.measurement import calibrated, mean_over_views
from lenscast.pipeline import fiducial, maps_and_correlations, measure, planes_and_tangents, summarise

MAPS = ("map", "source", "y", "x")


def variables(values: dict[str, np.ndarray], axes: tuple[str, ...]) -> dict[str, io.Variable]:
    """Variables of a file, on the same axes."""
    return {name: io.Variable(array, axes, "1", "") for name, array in values.items()}


def main(path: str, part: int, parts: int) -> None:
    """Compute and write every `parts`-th batch, from the batch `part` on."""
    experiment = read(path)
    theta, correction = fiducial(experiment), io.correction_of(experiment.simulation)
    m = theta.systematics.m
    # compiled once for all batches; in the workflow each job loads its programs from JAX's cache
    simulate = jax.jit(lambda seed, theta: maps_and_correlations(seed, theta, experiment, correction))
    differentiate = jax.jit(lambda seed, theta: planes_and_tangents(seed, theta.cosmology, experiment, correction))
    measured = jax.jit(lambda kappa, seed, number: summarise(calibrated(kappa, m), seed, number, experiment))
    averaged = jax.jit(lambda of_maps, correlation: mean_over_views(of_maps, correlation, m, experiment))
    derive = jax.jit(lambda planes, seed, theta: measure(planes, seed, theta, experiment))

    folder = Path("results", experiment.run)
    source = {"source": {"z": redshift_distributions(experiment.survey.sources).mean}}
    moving = {"param": {"name": list(cosmological_tangents(experiment))}}
    bins, rows = {"bin": bin_table(experiment)}, {"param": {"name": list(jacobian_parameters(experiment))}}

    for name, seeds in list(experiment.batches["covariance"].items())[part::parts]:
        origin = {"seeds": str(seeds)}
        with (
            io.batch_writer(folder / f"maps/{name}.h5", source, origin) as map_file,
            io.batch_writer(folder / f"summaries/{name}.h5", bins, origin) as summary_file,
        ):
            for seed in seeds:
                kappa, correlation = jax.device_get(simulate(seed, theta))
                of_box = variables({"correlation": correlation[None]}, ("box", "pair", "lag_y", "lag_x"))
                map_file.append(seed, variables({"kappa": kappa}, MAPS) | of_box)
                summaries = [measured(each, seed, number) for number, each in enumerate(kappa)]
                columns = dict(zip(("measured", "expected"), map(np.stack, zip(*summaries, strict=True)), strict=True))
                mean = np.asarray(averaged(columns["expected"], correlation))
                of_box = variables({"box_mean": mean[None]}, ("box", "bin"))
                summary_file.append(seed, variables(columns, ("map", "bin")) | of_box)
    for name, seeds in list(experiment.batches["derivatives"].items())[part::parts]:
        origin = {"seeds": str(seeds)}
        with (
            io.batch_writer(folder / f"planes/{name}.h5", moving, origin) as plane_file,
            io.batch_writer(folder / f"derivatives/{name}.h5", rows | bins, origin) as jacobian_file,
        ):
            for seed in seeds:
                made = differentiate(seed, theta)
                plane_file.append(seed, plane_variables(jax.device_get(made)))
                expected, jacobian = (np.asarray(each)[None] for each in derive(made, seed, theta))
                of_bin = variables({"expected": expected}, ("box", "bin"))
                jacobian_file.append(seed, of_bin | variables({"jacobian": jacobian}, ("box", "param", "bin")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
