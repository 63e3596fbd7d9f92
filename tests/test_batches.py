"""Boxes one after another and side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import batches
from lenscast.batches import each_box

SEEDS = [3, 4, 5, 6, 7, 8]


def program(seed, scale):
    """A map and its mean."""
    field = scale * jax.random.normal(jax.random.key(seed), (256, 256), jnp.float32)
    return {"map": jnp.fft.irfft2(jnp.fft.rfft2(field) * 1j), "mean": field.mean()}


@pytest.fixture(scope="module")
def alone():
    return [jax.jit(program)(seed, 2.0) for seed in SEEDS]


# memory in that of one box and two results; a fifth of it is kept free, and six boxes make no groups of four
@pytest.mark.slow
@pytest.mark.parametrize(("memory", "size"), [(0.1, 1), (1.5, 1), (2.7, 2), (5.4, 3), (100, 6)])
def test_groups_are_as_large_as_memory_allows_and_change_no_box(alone, monkeypatch, memory, size):
    sizes, side_by_side = [], batches._side_by_side

    def watched(function, arguments):
        run = side_by_side(function, arguments)
        return lambda group, *rest: sizes.append(len(group)) or run(group, *rest)

    one = batches._required_bytes(program, 1, (2.0,))
    chosen = batches._group_size(program, len(SEEDS), (2.0,), int(memory * one))
    monkeypatch.setattr(batches, "_side_by_side", watched)
    monkeypatch.setattr(batches, "_group_size", lambda *_: chosen)
    found = list(each_box(program, SEEDS, 2.0, memory=int(memory * one)))
    assert sizes == [size] * (len(SEEDS) // size)
    for box, expected in zip(found, alone, strict=True):
        np.testing.assert_allclose(box["map"], expected["map"], atol=1e-4)
        np.testing.assert_allclose(box["mean"], expected["mean"], rtol=1e-4)


def test_the_next_group_is_on_its_way_while_one_is_used(monkeypatch):
    sent = []
    monkeypatch.setattr(batches, "_side_by_side", lambda *_: lambda group: sent.append(len(group)) or group)
    monkeypatch.setattr(batches, "_group_size", lambda *_: 2)
    boxes = each_box(program, SEEDS, memory=1)
    for used, expected in enumerate([2, 2, 3, 3, 3, 3]):
        assert next(boxes) == SEEDS[used]
        assert len(sent) == expected


def test_a_cpu_takes_one_after_another(alone, monkeypatch):
    monkeypatch.setattr(batches, "_side_by_side", None)
    for box, expected in zip(each_box(program, SEEDS, 2.0), alone, strict=True):
        np.testing.assert_array_equal(box["map"], expected["map"])


def test_boxes_on_several_devices_come_one_after_another_whatever_the_memory(alone, monkeypatch):
    monkeypatch.setattr(batches, "_side_by_side", None)
    for box, expected in zip(each_box(program, SEEDS, 2.0, memory=2**40, devices=2), alone, strict=True):
        assert isinstance(box["map"], np.ndarray)
        np.testing.assert_array_equal(box["map"], expected["map"])


def test_an_accelerator_says_how_much_memory_there_is(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 5}

    assert batches._accelerator() is None
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert batches._accelerator() == 5
