"""The batches of a campaign in a bare loop: what a script without a workflow would do, in one process of several.

    python campaign_loop.py CONFIG PART PARTS

goes through every PARTS-th batch from PART on, with the functions of the jobs, and writes their files.
"""

import os
import sys
from pathlib import Path

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "EQX_ON_ERROR": "nan"}
os.environ |= {"NPROC": "1", "OMP_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

import jax
import jax.numpy as jnp
import numpy as np

import _build as build
from lenscast import io
from lenscast.config import PARAMETERS, Config, of_sources, read_config
from lenscast.simulate import convergence_maps
from lenscast.summarise import bin_table, calibrated, expected_and_jacobian, summarise
from lenscast.tangents import maps_and_tangents

MAPS = ("map", "source", "y", "x")


def settings_of(config: Config) -> tuple[dict, dict]:
    """What maps, and what summaries depend on."""
    values, biases = config.model_dump(mode="json"), of_sources("m", config.survey.sources.number)
    nuisance = {name: x for name, x in config.fiducial.items() if name not in (*PARAMETERS, *biases)}
    maps = {
        "cosmology": values["cosmology"],
        "systematics": nuisance,
        "simulation": values["simulation"],
        "lightcone": values["lightcone"],
        "sources": values["survey"]["sources"],
        "alignment": {key: values["systematics"][key] for key in ("z_pivot", "C1_rho_crit")},
    }
    summaries = {
        "statistics": values["statistics"],
        "pixels": config.lightcone.pixels,
        "field_deg": config.lightcone.field_deg,
        **{key: values["survey"][key] for key in ("sigma_e", "n_gal", "depth")},
    }
    return maps, summaries


def variable(values: np.ndarray, axes: tuple[str, ...]) -> io.Variable:
    return io.Variable(values, axes, "1", "")


def main(path: str, part: int, parts: int) -> None:
    config = read_config(path)
    map_settings, summary_settings = settings_of(config)
    simulation, correction = build.simulation(map_settings), build.correction(map_settings)
    parameters, statistics = build.parameters(map_settings), build.measurement(summary_settings)
    names = tuple(name for name in config.forecast.parameters if name != "m")
    kinds = [name for name in config.forecast.parameters if name in ("delta_z", "m")]
    draws, m = config.derivatives.noise_realisations, jnp.zeros(config.survey.sources.number)

    maps = jax.jit(lambda seed, parameters: convergence_maps(seed, *parameters, simulation, correction))
    tangents = jax.jit(lambda seed, parameters: maps_and_tangents(seed, *parameters, simulation, names, correction))
    measured = jax.jit(lambda kappa, seed, number: summarise(calibrated(kappa, m), seed, number, statistics, 1))
    derive = jax.jit(lambda *given: expected_and_jacobian(*given, statistics, draws, "expected"))
    shared = [name for name in names if name != "delta_z"]
    rows = [*shared, *(each for kind in kinds for each in of_sources(kind, len(m)))]
    bins, folder = bin_table(statistics), Path("results", config.run)
    source = {"source": {"z": simulation.sources.mean}}

    for name, seeds in list(config.batches["covariance"].items())[part::parts]:
        origin = {"seeds": str(seeds)}
        with (
            build.batch(folder / f"maps/{name}.h5", source, origin) as file,
            build.batch(folder / f"summaries/{name}.h5", {"bin": bins}, origin) as table,
        ):
            for seed in seeds:
                kappas = np.asarray(maps(seed, parameters))
                file.append(seed, {"kappa": variable(kappas, MAPS)})
                values = [measured(kappa, seed, number) for number, kappa in enumerate(kappas)]
                columns = zip(("measured", "expected"), zip(*values, strict=True), strict=True)
                table.append(seed, {key: variable(np.stack(column), ("map", "bin")) for key, column in columns})
    for name, seeds in list(config.batches["derivatives"].items())[part::parts]:
        axes, index = source | {"param": {"name": shared}}, {"param": {"name": rows}, "bin": bins}
        origin = {"seeds": str(seeds)}
        with (
            build.batch(folder / f"tangents/{name}.h5", axes, origin) as file,
            build.batch(folder / f"derivatives/{name}.h5", index, origin) as table,
        ):
            for seed in seeds:
                kappas, dots, shifts = tangents(seed, parameters)
                contents = {"kappa": variable(kappas, MAPS), "tangents": variable(dots, ("map", "param", *MAPS[1:]))}
                contents |= {} if shifts is None else {"shifts": variable(shifts, MAPS)}
                file.append(seed, contents)
                kappas, dots = np.asarray(kappas), np.asarray(dots)
                of_kind = {"delta_z": shifts, "m": kappas}
                own = np.stack([of_kind[kind] for kind in kinds] or [kappas], axis=1)[:, : len(kinds)]
                given = zip(kappas, dots, own, strict=True)
                values = [derive(*each, seed, number) for number, each in enumerate(given)]
                expected, jacobian = (np.stack(column) for column in zip(*values, strict=True))
                columns = {"expected": variable(expected, ("map", "bin"))}
                table.append(seed, columns | {"jacobian": variable(jacobian, ("map", "param", "bin"))})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
