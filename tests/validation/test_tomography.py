"""Tomographic spectra of maps, lensing and alignments apart, compared with theory."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory import MeasuredSpectrum
from lenscast.validation import tomography as validation

EDGES = (150.0, 400.0, 900.0)
LIMIT = np.array([500.0, 1000.0])  # multipole that is resolved, by source


@pytest.fixture(scope="module")
def spectrum():
    observation = Observation(Region(48, 5.0, 0), ShapeNoise((0.02, 0.02)))
    return MeasuredSpectrum(PowerSpectrum(name="power_spectrum", ell_edges=EDGES), observation)


def test_components_add_up_to_the_spectra_of_the_maps(spectrum):
    kappa, alignment = jnp.asarray(np.random.default_rng(0).normal(size=(2, 2, 48, 48)), jnp.float32)
    parts = jax.jit(lambda k, i: validation.measured_components(k, i, spectrum))(kappa, alignment)
    statistic, observation = spectrum

    def measured(maps):
        return statistic.measured(maps, jnp.zeros_like(maps), observation)

    assert parts.shape == (3, 6)
    np.testing.assert_allclose(parts.sum(axis=0), measured(kappa), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(parts[0], measured(kappa - alignment), rtol=1e-5)
    np.testing.assert_allclose(parts[2], measured(alignment), rtol=1e-5)


def bins():
    rows = [(i, j, low, high) for i, j in source_pairs(2) for low, high in pairwise(EDGES)]
    table = pd.DataFrame(rows, columns=["source_1", "source_2", "low", "high"])
    return table.assign(centre=(table["low"] + table["high"]) / 2, statistic="power_spectrum")


def test_comparison_has_ratios_with_errors_over_boxes_and_the_limit_of_the_nearer_source():
    measured = np.random.default_rng(1).uniform(1, 2, (6, 3, 6))
    box, theory = np.repeat([1, 2, 3], 2), []
    for name in ("GG", "GI", "II"):
        theory.append(bins()[["source_1", "source_2", "low"]].assign(component=name, ccl=2.0, theory=1.6))
    table = validation.compare_components(measured, box, bins(), pd.concat(theory), LIMIT)
    boxes = measured.reshape(3, 2, 3, 6).mean(axis=1)
    np.testing.assert_allclose(table["ratio"], boxes.mean(axis=0).ravel() / 1.6)
    np.testing.assert_allclose(table["ratio_error"], boxes.std(axis=0, ddof=1).ravel() / 3**0.5 / 1.6)
    # pairs 1-1 and 1-2 are resolved to 500, 2-2 to 1000
    assert list(table["resolved"][:6]) == [True, False, True, False, True, True]


def test_comparison_of_derivatives_takes_the_named_rows():
    rng = np.random.default_rng(2)
    jacobian, signal = rng.normal(size=(4, 3, 6)), np.tile(rng.uniform(1, 2, 6), (4, 1))
    theory = bins()[["source_1", "source_2", "low"]].assign(parameter="m_1", theory=0.5)
    table = validation.compare_component_derivatives(jacobian, signal, ["h", "A_IA", "m_1"], bins(), theory, LIMIT)
    np.testing.assert_allclose(table["measured"], jacobian[:, 2].mean(axis=0) / signal[0])
    np.testing.assert_allclose(table["error"], jacobian[:, 2].std(axis=0, ddof=1) / 2 / signal[0])
    assert np.all(table["theory"] == 0.5)
    assert list(table["resolved"]) == [True, False, True, False, True, True]


def test_derivatives_of_the_logarithm_do_not_see_what_is_not_resolved():
    rng = np.random.default_rng(3)
    jacobian, signal, lost = rng.normal(size=(4, 1, 6)), rng.uniform(1, 2, (4, 6)), rng.uniform(0.5, 1, 6)
    theory = bins()[["source_1", "source_2", "low"]].assign(parameter="A_IA", theory=0.5)
    whole, seen = (
        validation.compare_component_derivatives(by * jacobian, by * signal, ["A_IA"], bins(), theory, LIMIT)
        for by in (1.0, lost)
    )
    pd.testing.assert_frame_equal(whole, seen)
