"""Lens planes in files: 16-bit numbers that leave results where they are."""

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import io
from lenscast.io.plane_files import load_planes, plane_variables
from lenscast.lensing import plane_correlation
from lenscast.model import PlanesAndTangents
from lenscast.sections.lightcone import Lightcone

LIGHTCONE = Lightcone(box_size=60.0, slabs_per_box=1, planes=2, plane_mesh=32, field_deg=10.0, pixels=16)


def planes_of_box(seed, parameters=2):
    """Log-normal planes with peaks of a hundred times the mean, and derivatives of very different size."""
    rng = np.random.default_rng(seed)
    planes = np.exp(rng.normal(0, 1.5, (2, 3, 1, 32, 32))).astype(np.float32) - 1
    sizes = np.array([1e6, 1e-6])[:parameters].reshape(-1, 1, 1, 1, 1, 1)
    return PlanesAndTangents(planes, (sizes * planes * rng.normal(size=(parameters, *planes.shape))).astype(np.float32))


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "seeds_3_4.h5"
    with io.batch_writer(path, {"param": {"name": ["sigma8", "w0"]}}, {"seeds": "[3, 4]"}) as batch:
        for seed in (3, 4):
            batch.append(seed, plane_variables(planes_of_box(seed)))
    return path


def test_boxes_come_back_within_the_rounding_of_16_bits(stored):
    assert io.load(stored, names=[]).coordinates["box"]["seed"].tolist() == [3, 4]
    for number, seed in enumerate((3, 4)):
        found, given = load_planes(stored, number), planes_of_box(seed)
        for mine, original in zip(found, given, strict=True):
            assert mine.dtype == np.float32
            size = np.sqrt(np.mean(original.reshape(len(original), -1) ** 2, axis=1)).reshape(
                -1, *(1,) * (mine.ndim - 1)
            )
            # half a unit of the last of 11 binary digits, and of the smallest number, 2^-24, in units of the rms
            assert np.all(np.abs(mine - original) <= 2**-11 * np.abs(original) + 2**-23 * size)


def test_rounding_moves_correlations_by_that_of_the_highest_peaks(stored):
    found, given = load_planes(stored, 0), planes_of_box(3)
    rounded, exact = (plane_correlation(jnp.asarray(each.planes), LIGHTCONE) for each in (found, given))
    # a few peaks hold most of the variance here, each rounded by up to 2^-11 of itself
    assert np.abs(rounded - exact).max() < 2**-10 * np.abs(exact).max()


def test_a_box_without_tangents(tmp_path):
    path = tmp_path / "seeds_3_3.h5"
    with io.batch_writer(path, {}, {"seeds": "[3]"}) as batch:
        batch.append(3, plane_variables(planes_of_box(3, parameters=0)))
    assert load_planes(path, 0).tangents.shape == (0, 2, 3, 1, 32, 32)


def test_a_box_that_is_not_finite_is_left_out(tmp_path, caplog):
    path, broken = tmp_path / "seeds_3_4.h5", planes_of_box(3)
    broken.tangents[1, 0, 0, 0, 0, 0] = np.nan
    with io.batch_writer(path, {"param": {"name": ["sigma8", "w0"]}}, {"seeds": "[3, 4]"}) as batch:
        batch.append(3, plane_variables(broken))
        batch.append(4, plane_variables(planes_of_box(4)))
    assert io.load(path, names=[]).coordinates["box"]["seed"].tolist() == [4]
    assert "seed 3 is left out" in caplog.text
