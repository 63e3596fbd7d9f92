"""Sizes that no machine has are errors by key before anything is allocated, and those that this one lacks remarks."""

import math
import time
import tracemalloc

import jax
import numpy as np
import pytest

from lenscast import pipeline
from lenscast.experiment import ConfigError, load, memory, remarks
from lenscast.lens_tangents import cosmological_tangents
from lenscast.statistics.binning import fourier_modes, has_mode

HUGE = {
    "simulation.particles": (16384, "by simulation.particles"),
    "lightcone.plane_mesh": (65536, None),
    "lightcone.pixels": (32768, None),
    "lightcone.realisations_per_box": (10**9, "by lightcone.realisations_per_box"),
    "lightcone.planes": (10**12, "given; must be an integer >= 1 and <= 10000"),
    "lightcone.slabs_per_box": (10**400, "given; must be an integer >= 1 and <= 1000"),
    "survey.n_gal": ([1e300], "given; must be a number >= 0.001 and <= 10000"),
    "survey.sigma_e": (1e-5, "given; must be a number >= 0.0001 and <= 1"),
    "survey.area_deg2": (1e-300, "given; must be a number >= 0.001 and <= 41253"),
    "statistics.power_spectrum.ell_edges": ([100, 1e300], "given; must be a number >= 1 and <= 1000000"),
    "statistics.peaks.snr_edges": ([0.0, 1e300], "given; must be a number >= -1000 and <= 1000"),
}


@pytest.mark.parametrize(("key", "case"), HUGE.items(), ids=HUGE)
def test_huge_numbers_cost_the_check_neither_memory_nor_time(key: str, case, changed) -> None:
    value, text = case
    tracemalloc.start()
    begin = time.process_time()
    try:
        load(changed({key: value}))
        said = None
    except ConfigError as error:
        said = str(error)
    spent, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 2  # seconds, of which tracing takes the half
    assert peak < 2**27
    assert said is None if text is None else key.split("[")[0] in said and text in said


def test_memory_follows_the_arrays_of_a_job(changed) -> None:
    def sizes(**changes):
        experiment = load(changed({key.replace("__", "."): value for key, value in changes.items()}))
        sections = (experiment.simulation, experiment.lightcone, experiment.survey, experiment.forecast)
        return memory.job_bytes(*sections, experiment.distribution)

    one, lightcone = sizes(), load(changed({})).lightcone
    # three axes of the box, two copies, float32, planes and three tangents
    planes = 3 * 2 * lightcone.planes * lightcone.slabs_per_box * lightcone.plane_mesh**2 * 4 * (1 + 3)
    assert one["lightcone.plane_mesh"] == planes
    assert sizes(lightcone__plane_mesh=2 * lightcone.plane_mesh)["lightcone.plane_mesh"] == 4 * planes
    assert sizes(simulation__particles=256)["simulation.particles"] == 8 * one["simulation.particles"]


@pytest.mark.slow
@pytest.mark.parametrize("tangents", [1, 3])
def test_memory_is_that_of_the_compiled_program(changed, tangents) -> None:
    experiment = load(
        changed(
            {
                "simulation.particles": 48,
                "simulation.integrator": {"kind": "bullfrog", "steps": 2},
                "simulation.correction": {"kind": "none"},
                "lightcone.plane_mesh": 256,
            }
        )
    )
    names = cosmological_tangents(experiment)[:tangents]
    described = experiment.model_copy(
        update={"forecast": experiment.forecast.model_copy(update={"parameters": names, "data_vectors": {}})}
    )
    program = jax.jit(lambda theta: pipeline.planes_and_tangents(0, theta, described))
    taken = program.lower(pipeline.fiducial(described).cosmology).compile().memory_analysis()
    size = memory.simulation_bytes(
        described.simulation, described.lightcone, described.distribution, tangents
    ) + memory.plane_bytes(described.lightcone, tangents)
    assert taken.temp_size_in_bytes + taken.output_size_in_bytes == pytest.approx(size, rel=0.3)


def test_a_job_larger_than_this_machine_is_remarked_on_with_the_key_to_lower(changed, monkeypatch) -> None:
    experiment = load(changed({"lightcone.plane_mesh": 8192}))
    monkeypatch.setattr(memory, "memory_of_machine", lambda: 10**9)
    (line,) = remarks(experiment)
    assert line.startswith("memory: a job takes about ")
    assert line.endswith("and this machine has 1 GB; take a larger one, or lower lightcone.plane_mesh")
    monkeypatch.setattr(memory, "memory_of_machine", lambda: None)
    assert not [*remarks(experiment)]


@pytest.mark.parametrize("pixels", [16, 17, 30])
def test_bins_without_modes_are_found_without_an_array_of_all_modes(pixels: int) -> None:
    for low in np.arange(0.2503, pixels / 2 - 1, 0.3):
        for width in (0.05, 0.1, 0.4, 1.1):
            edges = [float(end * 360 / pixels) for end in (low, low + width)]
            try:
                fourier_modes(pixels, math.radians(1.0), edges)
                expected = True
            except ValueError as error:
                expected = "no Fourier mode" not in str(error)
            assert has_mode(pixels, *(float(end) for end in (low, low + width))) == expected, (low, width)
