"""Tomographic spectra of maps, lensing and alignments apart, beside theory."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lenscast import tomography_validation as validation
from lenscast.cosmology import Parameters, cosmology
from lenscast.lensing import AlignmentModel, Lightcone, Systematics
from lenscast.lensing.sources import tabulated
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.theory import Components, Galaxies, limber, pairs

PARAMETERS = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
EDGES = [150.0, 400.0, 900.0]
LIMIT = np.array([500.0, 1000.0])  # multipole that is resolved, by source
SOURCES = tabulated(np.array([[0.1, 0.3, 0.5, 0.8]]), np.array([[0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 0.0]]))
GALAXIES = Galaxies(SOURCES, Systematics.from_values({"A_IA": 1.0}, 2), AlignmentModel(0.01388, 0.62))


@pytest.fixture(scope="module")
def spectrum():
    noise = ShapeNoise((0.02, 0.02))
    (made,) = statistics_from_config({"power_spectrum": {"ell_edges": EDGES}}, 48, 5.0, noise)
    return made


def test_components_add_up_to_the_spectra_of_the_maps(spectrum):
    kappa, alignment = jnp.asarray(np.random.default_rng(0).normal(size=(2, 2, 48, 48)), jnp.float32)
    parts = jax.jit(lambda k, i: validation.measured_components(k, i, spectrum))(kappa, alignment)
    silent = jnp.zeros_like(kappa)
    assert parts.shape == (3, 6)
    np.testing.assert_allclose(parts.sum(axis=0), spectrum.measured(kappa, silent), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(parts[0], spectrum.measured(kappa - alignment, silent), rtol=1e-5)
    np.testing.assert_allclose(parts[2], spectrum.measured(alignment, silent), rtol=1e-5)


@pytest.fixture
def without_ccl(monkeypatch, power_law):
    """Theory without CAMB and CCL: Limber's integral of this package stands for that of CCL."""

    def components(ell, parameters, galaxies, power):
        cosmos = jax.jit(cosmology)(parameters)

        def part(*names):
            def weights(planes):
                made = galaxies.weights(cosmos, planes)
                return sum(np.asarray(getattr(made, name)) for name in names)

            return limber(ell, weights, cosmos, power, galaxies.z_max)

        GG, II = part("lensing"), part("alignment")
        return Components(GG, part("lensing", "alignment") - GG - II, II)

    monkeypatch.setattr(validation, "matter_power", lambda *_: power_law)
    monkeypatch.setattr(validation, "ccl_components", components)


def test_theory_is_what_fine_planes_leave_of_the_integral(spectrum, without_ccl):
    fine = Lightcone(400.0, 4, 20, 4096, 5.0, 48)
    table = validation.theory_components(Parameters.from_config(PARAMETERS), GALAXIES, spectrum, fine, 2.0)
    assert list(table["component"].unique()) == ["GG", "GI", "II"]
    assert len(table) == 3 * 3 * 2
    # cells of 0.1 Mpc/h; the box cuts what is wider than 400 Mpc/h, and planes of 100 Mpc/h are midpoints
    gg = table[table["component"] == "GG"]
    np.testing.assert_allclose(gg["theory"], gg["ccl"], rtol=0.02)
    assert np.all(table[table["component"] == "GI"]["theory"] < 0)
    # a constant power of 8 (Mpc/h)^3 against 1e4 (k / 0.1)^-1.5 at ell / chi ~ 1 / (Mpc/h)
    assert np.all((gg["shot"] / gg["theory"] > 1e-3) & (gg["shot"] / gg["theory"] < 0.1))
    coarse = Lightcone(400.0, 4, 20, 128, 5.0, 48)
    seen = validation.theory_components(Parameters.from_config(PARAMETERS), GALAXIES, spectrum, coarse, 2.0)
    assert np.all(seen["theory"].abs() < table["theory"].abs())


def test_theory_derivatives_by_calibration_and_amplitude_are_exact(spectrum, without_ccl):
    planes, parameters = Lightcone(400.0, 4, 20, 512, 5.0, 48), Parameters.from_config(PARAMETERS)
    steps = {"A_IA": 0.1, "delta_z_1": 0.01}
    table = validation.theory_derivatives(parameters, GALAXIES, spectrum, planes, steps)
    parts = validation.theory_components(parameters, GALAXIES, spectrum, planes, 2.0)
    GI, II = (parts[parts["component"] == name]["theory"].to_numpy() for name in ("GI", "II"))
    total = parts.groupby(["source_1", "source_2", "low"])["theory"].sum().to_numpy()
    by_amplitude = table[table["parameter"] == "A_IA"]["theory"].to_numpy()
    # quadratic in A_IA, here 1
    np.testing.assert_allclose(by_amplitude, (GI + 2 * II) / total, rtol=1e-6)
    by_shift = table[table["parameter"] == "delta_z_1"]
    own, other = (by_shift[by_shift["source_1"] == source]["theory"].abs() for source in (0, 1))
    # the other source stays, but for rounding over the step
    assert other.max() < 1e-6 * own.min()


def bins():
    rows = [(i, j, low, high) for i, j in pairs(2) for low, high in pairwise(EDGES)]
    table = pd.DataFrame(rows, columns=["source_1", "source_2", "low", "high"])
    return table.assign(centre=(table["low"] + table["high"]) / 2, statistic="power_spectrum")


def test_comparison_has_ratios_with_errors_over_boxes_and_the_limit_of_the_nearer_source():
    measured = np.random.default_rng(1).uniform(1, 2, (6, 3, 6))
    box, theory = np.repeat([1, 2, 3], 2), []
    for name in ("GG", "GI", "II"):
        theory.append(bins()[["source_1", "source_2", "low"]].assign(component=name, ccl=2.0, theory=1.6))
    table = validation.compared(measured, box, bins(), pd.concat(theory), LIMIT)
    boxes = measured.reshape(3, 2, 3, 6).mean(axis=1)
    np.testing.assert_allclose(table["ratio"], boxes.mean(axis=0).ravel() / 1.6)
    np.testing.assert_allclose(table["ratio_error"], boxes.std(axis=0, ddof=1).ravel() / 3**0.5 / 1.6)
    # pairs 1-1 and 1-2 are resolved to 500, 2-2 to 1000
    assert list(table["resolved"][:6]) == [True, False, True, False, True, True]


def test_comparison_of_derivatives_takes_the_named_rows():
    rng = np.random.default_rng(2)
    jacobian, signal = rng.normal(size=(4, 3, 8)), np.tile(rng.uniform(1, 2, 8), (4, 1))
    more = pd.concat([bins(), bins().iloc[:2].assign(statistic="peaks")], ignore_index=True)
    theory = bins()[["source_1", "source_2", "low"]].assign(parameter="m_1", theory=0.5)
    table = validation.compared_derivatives(jacobian, signal, ["h", "A_IA", "m_1"], more, theory, LIMIT)
    np.testing.assert_allclose(table["measured"], jacobian[:, 2, :6].mean(axis=0) / signal[0, :6])
    np.testing.assert_allclose(table["error"], jacobian[:, 2, :6].std(axis=0, ddof=1) / 2 / signal[0, :6])
    assert np.all(table["theory"] == 0.5)
    assert list(table["resolved"]) == [True, False, True, False, True, True]


def test_derivatives_of_the_logarithm_do_not_see_what_is_not_resolved():
    rng = np.random.default_rng(3)
    jacobian, signal, lost = rng.normal(size=(4, 1, 6)), rng.uniform(1, 2, (4, 6)), rng.uniform(0.5, 1, 6)
    theory = bins()[["source_1", "source_2", "low"]].assign(parameter="A_IA", theory=0.5)
    whole, seen = (
        validation.compared_derivatives(by * jacobian, by * signal, ["A_IA"], bins(), theory, LIMIT)
        for by in (1.0, lost)
    )
    pd.testing.assert_frame_equal(whole, seen)
