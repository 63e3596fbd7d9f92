"""Boxes on several devices: what is refused, what is remarked on, and what devices hold and send."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import Parameters, cosmology
from lenscast.experiment import described_devices, load, memory, remarks
from lenscast.experiment.device_costs import sent_in_a_force
from lenscast.experiment.matter import rms_displacement
from lenscast.sections.box import ParticleMesh
from lenscast.sections.distribution import Distribution
from lenscast.sections.lightcone import Lightcone


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"distribution": {"devices": 3}}, "distribution.devices", "3 slabs cut simulation.particles = 64"),
        (
            {"distribution": {"devices": 4}, "simulation.noise_size": 150},
            "distribution.devices",
            "4 slabs cut simulation.noise_size = 150 into 4 x 1 unequal parts",
        ),
        (
            {"distribution": {"devices": 256, "layout": "pencils"}, "lightcone.plane_mesh": 300},
            "distribution.devices",
            "256 pencils cut lightcone.plane_mesh = 150 at half the resolution (resolution.levels) into 256",
        ),
        (
            {"simulation.particles": 1400},
            "distribution.devices",
            "1 devices have 2.74e+09 mesh cells each, halo included; at most 2^31",
        ),
        ({"distribution": {"halo_mpc": 0}}, "distribution.halo_mpc", "must be a number > 0"),
        ({"distribution": {"layout": "cubes"}}, "distribution.layout", "slabs"),
        ({"distribution": {"halo": 3.0}}, "distribution.halo", "halo_mpc"),
    ],
)
def test_what_cannot_be_split_is_refused_by_key(refusal, changes, key, text) -> None:
    lines = refusal(changes)
    assert any(line.strip().startswith(key) and text in line for line in lines), lines


def test_results_do_not_depend_on_the_distribution(changed) -> None:
    one, split = load(changed({})), load(changed({"distribution": {"devices": 4, "halo_mpc": 30.0}}))
    names = ("cosmology", "simulation", "lightcone", "survey", "systematics", "statistics")
    assert one.settings(*names) == split.settings(*names)
    assert one.batches == split.batches
    assert one != split  # which are two programs to JAX
    assert one.distribution.devices == 1


def test_a_narrow_halo_is_remarked_on(changed) -> None:
    def said(**keys):
        return [each for each in remarks(load(changed({"distribution": keys}))) if "halo" in each]

    assert said(devices=1, halo_mpc=1.0) == said(devices=4) == []
    (remark,) = said(devices=4, halo_mpc=12.0)
    needed = int(re.search(r"raise it to (\d+) or more", remark)[1])
    assert 22 <= needed <= 32
    assert said(devices=4, halo_mpc=needed + 0.5) == []


def test_displacement_is_that_of_linear_theory(experiment) -> None:
    k, values = np.geomspace(1e-4, 50.0, 2000), experiment.cosmology.model_dump()
    power = jax.jit(lambda p: cosmology(p).power.root(jnp.asarray(k, jnp.float32)) ** 2)(Parameters(**values))
    fitting = np.where(k > 2 * np.pi / 205.0, power, 0)
    expected = np.sqrt(np.trapezoid(fitting, k) / (6 * np.pi**2))
    # a spectrum without wiggles here, one with wiggles there
    np.testing.assert_allclose(rms_displacement(experiment.cosmology, 205.0), expected, rtol=0.03)


def test_memory_of_a_device_falls_with_the_number_of_devices(experiment) -> None:
    simulation = experiment.simulation.model_copy(update={"box_size": 820.0})

    def size(tangents=0, **keys):
        return memory.simulation_bytes(simulation, experiment.lightcone, Distribution(**keys), tangents)

    assert size(devices=2) / size(devices=4) > 1.7
    assert size(tangents=6, devices=4) > 6 * size(devices=4)
    assert size(devices=4, halo_mpc=80.0) > size(devices=4)
    assert size() == memory.PER_PARTICLE * 128**3 + memory.PER_RANDOM_NUMBER * 128**3


def test_a_line_says_what_each_device_holds_and_sends(changed) -> None:
    split = load(changed({"distribution": {"devices": 4}}))
    line = described_devices(split)
    assert line.startswith("Each of 4 devices has 32 x 128 x 128 mesh cells with a halo of 26 cells, takes about ")
    sent = sent_in_a_force(split.simulation, split.distribution)
    assert f"with 3 tangents, and sends {4 * sum(sent) / 1e6:.2f} MB per force" in line
    assert described_devices(load(changed({}))) == ""


def test_halos_and_transposes_scale_as_surfaces_and_volumes() -> None:
    def sent(particles, **keys):
        mesh = ParticleMesh(box_size=4.0 * particles, particles=particles)
        return sent_in_a_force(mesh, Distribution(halo_mpc=15.0, **keys))

    slabs, finer = sent(256, devices=4), sent(512, devices=4)
    assert finer.halos == 4 * slabs.halos  # cells of 4 Mpc/h in both
    assert finer.transposes / slabs.transposes == pytest.approx(8, rel=0.01)
    # slabs send as much to their neighbours however many they are; pencils send less
    assert sent(512, devices=64).halos == finer.halos
    assert sent(512, devices=64, layout="pencils").halos < finer.halos / 2


def test_the_table_of_the_manual_follows_from_the_formulas(repository) -> None:
    rows = re.findall(r"^\| (\d+)\^3 \| (\d+) \| (\d+) \| (.+) \|$", (repository / "docs/cluster.md").read_text(), re.M)
    assert ("2048", "1024", "256") in {row[:3] for row in rows}
    lightcone = {"slabs_per_box": 2, "planes": 8, "plane_mesh": 2048, "field_deg": 5.0, "pixels": 1024}
    for particles, box_size, devices, numbers in rows:
        mesh = ParticleMesh(box_size=float(box_size), particles=int(particles))
        pencils = Distribution(devices=int(devices), layout="pencils")
        sent = sum(sent_in_a_force(mesh, pencils)) / 1e9
        held = [
            memory.simulation_bytes(mesh, Lightcone(box_size=mesh.box_size, **lightcone), pencils, tangents) / 1e9
            for tangents in (0, 6)
        ]
        assert numbers == f"{held[0]:.1f} | {held[1]:.1f} | {sent:.2f} | {7 * sent:.1f}"
