"""Tomographic spectra of maps, lensing and alignments apart, compared with theory."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lenscast.cosmology import Parameters, cosmology
from lenscast.lensing import Systematics, tabulated
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.survey import NoBaryons, SystematicsSection
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise
from lenscast.statistics.power_spectrum import source_pairs
from lenscast.theory import Components, Galaxies, MeasuredSpectrum, limber
from lenscast.validation import tomography as validation

PARAMETERS = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
EDGES = (150.0, 400.0, 900.0)
LIMIT = np.array([500.0, 1000.0])  # multipole that is resolved, by source
SOURCES = tabulated(np.array([[0.1, 0.3, 0.5, 0.8]]), np.array([[0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 0.0]]))
ALIGNMENT = SystematicsSection(A_IA=1.0, eta=0.0, C1_rho_crit=0.01388, z_pivot=0.62, baryons=NoBaryons(kind="none"))
GALAXIES = Galaxies(SOURCES, Systematics.from_values({"A_IA": 1.0}, 2), ALIGNMENT)
FINE = Lightcone(box_size=400.0, slabs_per_box=4, planes=20, plane_mesh=4096, field_deg=5.0, pixels=48)


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


@pytest.fixture
def without_ccl(monkeypatch, power_law):
    """Theory without CAMB and CCL: Limber's integral of this package stands for that of CCL."""

    def components(ell, parameters, galaxies, power):
        cosmos = jax.jit(cosmology)(parameters)

        def part(*names):
            def kernel(planes):
                kernels = galaxies.kernels(cosmos, planes)
                return sum(np.asarray(getattr(kernels, name)) for name in names)

            return limber(ell, kernel, cosmos, power, galaxies.z_max)

        GG, II = part("lensing"), part("alignment")
        return Components(GG, part("lensing", "alignment") - GG - II, II)

    monkeypatch.setattr(validation, "camb_power", lambda *_: power_law)
    monkeypatch.setattr(validation, "ccl_components", components)


def test_theory_is_what_fine_planes_leave_of_the_integral(spectrum, without_ccl):
    table = validation.theory_components(Parameters.of(PARAMETERS), GALAXIES, spectrum, FINE, 2.0)
    assert list(table["component"].unique()) == ["GG", "GI", "II"]
    assert len(table) == 3 * 3 * 2
    # cells of 0.1 Mpc/h; the box cuts what is wider than 400 Mpc/h, and planes of 100 Mpc/h are midpoints
    gg = table[table["component"] == "GG"]
    np.testing.assert_allclose(gg["theory"], gg["ccl"], rtol=0.02)
    assert np.all(table[table["component"] == "GI"]["theory"] < 0)
    # a constant power of 8 (Mpc/h)^3 against 1e4 (k / 0.1)^-1.5 at ell / chi ~ 1 / (Mpc/h)
    assert np.all((gg["shot"] / gg["theory"] > 1e-3) & (gg["shot"] / gg["theory"] < 0.1))
    coarse = FINE.model_copy(update={"plane_mesh": 128})
    suppressed = validation.theory_components(Parameters.of(PARAMETERS), GALAXIES, spectrum, coarse, 2.0)
    assert np.all(suppressed["theory"].abs() < table["theory"].abs())


def test_theory_derivatives_with_respect_to_shifts_and_amplitude_are_exact(spectrum, without_ccl):
    planes, parameters = FINE.model_copy(update={"plane_mesh": 512}), Parameters.of(PARAMETERS)
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
    rows = [(i, j, low, high) for i, j in source_pairs(2) for low, high in pairwise(EDGES)]
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
    jacobian, signal = rng.normal(size=(4, 3, 6)), np.tile(rng.uniform(1, 2, 6), (4, 1))
    theory = bins()[["source_1", "source_2", "low"]].assign(parameter="m_1", theory=0.5)
    table = validation.compared_derivatives(jacobian, signal, ["h", "A_IA", "m_1"], bins(), theory, LIMIT)
    np.testing.assert_allclose(table["measured"], jacobian[:, 2].mean(axis=0) / signal[0])
    np.testing.assert_allclose(table["error"], jacobian[:, 2].std(axis=0, ddof=1) / 2 / signal[0])
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
