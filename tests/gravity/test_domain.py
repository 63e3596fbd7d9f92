"""A box split over devices gives what it gives on one device, with all derivatives."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from lenscast.experiment.device_costs import sent_in_a_force
from lenscast.gravity import ParticleMesh, domain
from lenscast.sections.distribution import Distribution

SPLIT = ["two slabs", "four slabs", "pencils"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What `on_four_devices` computes, in a process of its own."""
    path, script = tmp_path_factory.mktemp("domain") / "results.npz", Path(__file__).with_name("on_four_devices.py")
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, script, path], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.load(path)


def distance(results, what, name):
    """Rms of the difference from a single device, over the rms there."""
    found, expected = (results[f"{each} {what}"].astype(float) for each in (name, "single"))
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT)
def test_noise_has_the_same_bits_on_any_number_of_devices(results, name):
    np.testing.assert_array_equal(results[f"{name} noise"], results["single noise"])


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT)
def test_planes_are_those_of_one_device(results, name):
    # sums in another order: rounding of float32, 6e-8 a term
    assert results["single planes"].std() > 0.3
    assert distance(results, "planes", name) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["four slabs", "pencils"])
def test_tangents_are_those_of_one_device(results, name):
    for number in range(3):
        pair = {f"{each} tangent": results[f"{each} tangents"][number] for each in (name, "single")}
        assert distance(pair, "tangent", name) < 1e-4, number


@pytest.mark.slow
def test_gradients_are_the_tangents_of_one_device_in_reverse(results):
    # <w, J v> from forward mode on one device, <J^T w, v> from reverse mode on four
    forward = np.tensordot(results["single tangents"].astype(float), results["weights"].astype(float), 4 + 1)
    np.testing.assert_allclose(results["pencils gradient"], forward, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["spectral", "finite_difference"])
@pytest.mark.parametrize("name", SPLIT)
def test_force_is_no_less_accurate_at_borders_between_devices(results, name, kind):
    found, expected = (results[f"{each} {kind} force"] for each in (name, "single"))
    error = np.sqrt(((found - expected) ** 2).sum(axis=0).reshape(16, 16, 16).mean(axis=(1, 2)))
    scale = np.sqrt((expected**2).sum(axis=0).mean())
    borders = np.arange(16) % (16 // (2 if name == "two slabs" else 4)) == 0
    assert error.max() < 2e-6 * scale
    assert error[borders].max() < 1.5 * error[~borders].max()


@pytest.mark.slow
def test_particles_beyond_the_halo_make_everything_nan(results):
    assert np.isfinite(results["inside the halo"]).all()
    assert np.isnan(results["beyond the halo"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT)
def test_no_program_gathers_anything(results, name):
    for what in ("program", "spectral program", "finite_difference program"):
        assert "all-gather" not in str(results[f"{name} {what}"])


def sent_bytes(program):
    """Bytes that a device sends in a program without loops."""
    total = 0
    for result, kind in re.findall(r"= (.+) (all-to-all|collective-permute)\(", program):
        pieces = [
            {"f32": 4, "c64": 8}[dtype] * math.prod(map(int, shape.split(",")))
            for dtype, shape in re.findall(r"(f32|c64)\[([\d,]+)\]", result)
        ]
        total += sum(pieces[1:] if kind == "all-to-all" else pieces)  # a device keeps one piece itself
    return total


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["spectral", "finite_difference"])
@pytest.mark.parametrize("name", SPLIT)
def test_programs_send_the_bytes_of_the_formula(results, name, kind):
    layout = "pencils" if name == "pencils" else "slabs"
    distribution = Distribution(devices=2 if name == "two slabs" else 4, layout=layout)
    factor = 2 if kind == "finite_difference" else 1
    mesh = ParticleMesh(box_size=160.0, particles=16, mesh_factor=factor, gradient=kind)
    program = str(results[f"{name} {kind} program"])
    assert sent_bytes(program) == sum(sent_in_a_force(mesh, distribution))


def test_more_devices_than_there_are_is_an_error():
    here = len(jax.devices())
    with pytest.raises(ValueError, match=f"distribution.devices = {here + 1}: JAX finds {here}"):
        domain(Distribution(devices=here + 1))


@pytest.mark.slow
def test_a_halo_too_narrow_is_said_with_both_numbers(results):
    moved, said = float(results["moved"]), str(results["beyond the halo of a box"])
    assert 5 < moved < 30
    needed = math.ceil(1.1 * moved)
    assert said == (f"particles moved {moved:.1f} Mpc/h, the halo is 4: set distribution.halo_mpc to at least {needed}")
