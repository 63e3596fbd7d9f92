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
from lenscast.experiment import read
from lenscast.lensing import redshift_distributions
from lenscast.measurement import MapAndTangents, bin_table, calibrated, jacobian_parameters
from lenscast.parameters import PARAMETERS
from lenscast.pipeline import fiducial, maps, measure, summarise, tangents

MAPS = ("map", "source", "y", "x")


def variables(values: dict[str, np.ndarray], axes: tuple[str, ...]) -> dict[str, io.Variable]:
    """Variables of a file, on the same axes."""
    return {name: io.Variable(array, axes, "1", "") for name, array in values.items()}


def main(path: str, part: int, parts: int) -> None:
    """Compute and write every `parts`-th batch, from the batch `part` on."""
    experiment = read(path)
    theta, correction = fiducial(experiment), io.correction_of(experiment.simulation)
    draws, m = experiment.derivatives.noise_realisations, theta.systematics.m
    # compiled once for all batches; in the workflow each job loads its programs from JAX's cache
    simulate = jax.jit(lambda seed, theta: maps(seed, theta, experiment, correction))
    differentiate = jax.jit(lambda seed, theta: tangents(seed, theta, experiment, correction))
    measured = jax.jit(lambda kappa, seed, number: summarise(calibrated(kappa, m), seed, number, experiment))
    derive = jax.jit(lambda given: measure(given, experiment, draws))

    folder = Path("results", experiment.run)
    source = {"source": {"z": redshift_distributions(experiment.survey.sources).mean}}
    shared = {"param": {"name": [name for name in experiment.tangents if not PARAMETERS[name].per_source]}}
    bins, rows = {"bin": bin_table(experiment)}, {"param": {"name": list(jacobian_parameters(experiment))}}

    for name, seeds in list(experiment.batches["covariance"].items())[part::parts]:
        origin = {"seeds": str(seeds)}
        with (
            io.batch_writer(folder / f"maps/{name}.h5", source, origin) as map_file,
            io.batch_writer(folder / f"summaries/{name}.h5", bins, origin) as summary_file,
        ):
            for seed in seeds:
                box = jax.device_get(simulate(seed, theta))
                map_file.append(seed, variables({"kappa": box}, MAPS))
                summaries = [measured(kappa, seed, number) for number, kappa in enumerate(box)]
                columns = zip(("measured", "expected"), map(np.stack, zip(*summaries, strict=True)), strict=True)
                summary_file.append(seed, variables(dict(columns), ("map", "bin")))
    for name, seeds in list(experiment.batches["derivatives"].items())[part::parts]:
        origin = {"seeds": str(seeds)}
        with (
            io.batch_writer(folder / f"tangents/{name}.h5", source | shared, origin) as map_file,
            io.batch_writer(folder / f"derivatives/{name}.h5", rows | bins, origin) as jacobian_file,
        ):
            for seed in seeds:
                made = jax.device_get(differentiate(seed, theta))
                of_source = {"kappa": made.kappa} | ({} if made.shifts is None else {"shifts": made.shifts})
                of_parameter = variables({"tangents": made.tangents}, ("map", "param", *MAPS[1:]))
                map_file.append(seed, variables(of_source, MAPS) | of_parameter)
                shifts = len(made.kappa) * [None] if made.shifts is None else made.shifts
                each_map = enumerate(zip(made.kappa, made.tangents, shifts, strict=True))
                derived = [derive(MapAndTangents(*given, seed, number)) for number, given in each_map]
                expected, jacobian = map(np.stack, zip(*derived, strict=True))
                of_bin = variables({"expected": expected}, ("map", "bin"))
                jacobian_file.append(seed, of_bin | variables({"jacobian": jacobian}, ("map", "param", "bin")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
