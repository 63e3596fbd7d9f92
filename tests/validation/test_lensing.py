import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lenscast import theory
from lenscast.cosmology import Parameters
from lenscast.lensing import lensing_kernel, limber_sum, source_planes
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise
from lenscast.validation import lensing as validation

PARAMETERS = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
EDGES = (144.0, 432.0, 720.0, 1008.0)
BINS = pd.DataFrame({"statistic": ["power_spectrum", "peaks"], "name": ["a", "b"]})
LIGHTCONE = Lightcone(box_size=1000.0, slabs_per_box=10, planes=30, plane_mesh=1024, field_deg=20.0, pixels=256)


def measured(edges, pixels, field_deg, depth=None):
    """The power spectrum of a whole map."""
    observation = Observation(Region(pixels, field_deg, 0), ShapeNoise((1.0,), depth))
    return theory.MeasuredSpectrum(PowerSpectrum(name="power_spectrum", ell_edges=edges), observation)


@pytest.fixture
def without_camb(monkeypatch, power_law):
    monkeypatch.setattr(validation, "camb_power", lambda *_: power_law)


def test_comparison_cancels_the_sample_variance_that_boxes_share():
    box = np.repeat([5, 6, 7, 8], 2)
    fine = np.random.default_rng(0).uniform(1, 2, (8, 2))
    table = validation.variant_comparison({"plain": 0.8 * fine, "refined": fine}, box, BINS, "refined")
    np.testing.assert_allclose(table["plain_ratio"], 0.8)
    np.testing.assert_allclose(table["plain_ratio_error"], 0, atol=1e-12)
    boxes = 0.8 * fine.reshape(4, 2, 2).mean(axis=1)
    np.testing.assert_allclose(table["plain"], boxes.mean(axis=0))
    np.testing.assert_allclose(table["plain_error"], boxes.std(axis=0, ddof=1) / 2)
    assert list(table["name"]) == ["a", "b"]


def test_comparison_error_of_a_ratio_is_that_of_the_linearised_ratio():
    rng, boxes = np.random.default_rng(1), 200
    fine, coarse = rng.normal(10, 0.5, (boxes, 2)), rng.normal(8, 0.5, (boxes, 2))
    table = validation.variant_comparison({"corrected": coarse, "refined": fine}, np.arange(boxes), BINS, "refined")
    ratio = coarse.mean(axis=0) / fine.mean(axis=0)
    expected = ((coarse - ratio * fine) / fine.mean(axis=0)).std(axis=0, ddof=1) / boxes**0.5
    np.testing.assert_allclose(table["corrected_ratio"], ratio)
    # second order in the relative error of the mean, 0.5 / 10 / sqrt(200)
    np.testing.assert_allclose(table["corrected_ratio_error"], expected, rtol=2e-3)


def test_comparison_has_no_ratio_where_nothing_is_counted():
    empty = np.array([[1.0, 0.0], [1.0, 0.0]])
    table = validation.variant_comparison({"plain": empty, "refined": empty}, np.array([0, 1]), BINS, "refined")
    assert list(table["plain_ratio"].isna()) == [False, True]
    assert list(table["plain_ratio_error"].isna()) == [False, True]


def test_comparison_refers_to_the_variant_that_is_asked_for_and_keeps_their_order():
    observed = {name: np.full((2, 2), value) for name, value in {"plain": 1.0, "born": 2.0, "ray_tracing": 3.0}.items()}
    table = validation.variant_comparison(observed, np.array([0, 1]), BINS, "born")
    ratios = [name for name in table if name.endswith("_ratio")]
    assert ratios == ["plain_ratio", "ray_tracing_ratio"]
    np.testing.assert_allclose(table[ratios].iloc[0], [0.5, 1.5])


def test_comparison_refuses_to_do_without_its_reference():
    with pytest.raises(ValueError, match="variants plain: give 'refined' too"):
        validation.variant_comparison({"plain": np.ones((2, 2))}, np.array([0, 1]), BINS, "refined")


@pytest.mark.slow
def test_theory_on_fine_planes_and_a_wide_region_is_limber(without_camb):
    parameters, spectrum = Parameters.of(PARAMETERS), measured(EDGES, 256, 20.0)
    lightcone = LIGHTCONE.model_copy(update={"plane_mesh": 16384})
    table = validation.theory_spectra(parameters, (0.5, 1.0), spectrum, lightcone)
    assert list(table["source_1"]) == [0] * 3 + [1] * 3
    assert list(table["low"]) == list(EDGES[:-1]) * 2
    # planes of 100 Mpc/h for the nearer source and modes outside the box in the first bin
    np.testing.assert_allclose(table["theory"], table["limber"], rtol=0.03)
    np.testing.assert_allclose(table["theory"][[2, 5]], table["limber"][[2, 5]], rtol=0.01)


@pytest.mark.slow
def test_theory_on_coarse_planes_loses_what_their_windows_take(without_camb, power_law):
    parameters, spectrum = Parameters.of(PARAMETERS), measured(EDGES, 256, 20.0)
    table = validation.theory_spectra(parameters, (1.0,), spectrum, LIGHTCONE)
    cosmos = validation.cosmology(parameters)
    nodes = gauss_legendre(np.array(EDGES), theory.NODES_PER_BIN).nodes.ravel()
    kernel = np.asarray(lensing_kernel(source_planes([1.0]), jnp.zeros(1), cosmos, LIGHTCONE))
    power = theory.plane_power(nodes, cosmos, power_law, LIGHTCONE)
    planes = theory.bin_averages(limber_sum(power, kernel), EDGES)
    assert np.all(planes[0] < 0.96 * table["limber"])
    np.testing.assert_allclose(table["theory"], planes[0], rtol=0.03)


def test_theory_of_a_masked_map_is_the_spectrum_that_its_holes_mix(without_camb):
    parameters = Parameters.of(PARAMETERS)
    lightcone = LIGHTCONE.model_copy(update={"field_deg": 5.0, "pixels": 64})
    holes = np.where(np.random.default_rng(2).random((64, 64)) < 0.1, 0.0, 1.0)
    whole, ones, masked = (
        validation.theory_spectra(parameters, (1.0,), measured((200.0, 500.0, 1500.0), 64, 5.0, depth), lightcone)[
            "theory"
        ]
        for depth in (None, np.ones((64, 64)), holes)
    )
    np.testing.assert_allclose(ones, whole, rtol=1e-12)
    # holes without correlations take their share of C_ell and spread it evenly over all modes, most of it at higher ell
    share = np.mean(holes)
    assert np.all(masked > 0.98 * share * whole)
    assert masked[0] < 0.96 * whole[0]


def spectrum(*edges):
    """A power spectrum that is called otherwise in the config."""
    return PowerSpectrum(name="C_ell", kind="power_spectrum", ell_edges=edges)


def test_published_spectra_are_there_for_their_source_and_theory_of_their_cosmology_for_all(without_camb):
    table = validation.published_spectra((0.46, 0.914), spectrum(144.0, 432.0, 800.0, 1008.0, 1296.0))
    assert set(table["statistic"]) == {"C_ell"}
    assert list(table["low"]) == [144.0, 1008.0] * 2
    assert list(table["source_1"]) == [0, 0, 1, 1]
    np.testing.assert_allclose(table["ktng"], [np.nan, np.nan, 19.1e-10, 3.12e-10])
    np.testing.assert_allclose((table["dll_hpn"] / table["ktng"])[2:], [1.03, 0.88])
    near, far = table["ktng_limber"].to_numpy().reshape(2, 2)
    assert np.all((near > 0) & (near < far))
    assert validation.published_spectra((0.914,), spectrum(100.0, 300.0)).empty


def test_ratios_to_theory_are_there_for_all_sources_and_published_ones_refer_to_their_own_cosmology():
    table = pd.DataFrame({"plain": [8.0, 6.0], "plain_error": [1.0, 1.0], "theory": [16.0, 10.0]})
    table = table.assign(ktng_limber=[20.0, 11.0], ktng=[np.nan, 11.0], dll_hpn=[np.nan, 22.0])
    found = validation.with_theory_ratios(table, ["plain"])
    np.testing.assert_allclose(found["plain_theory_ratio"], [0.5, 0.6])
    np.testing.assert_allclose(found["plain_theory_ratio_error"], [0.0625, 0.1])
    np.testing.assert_allclose(found["ktng_theory_ratio"], [np.nan, 1.0])
    np.testing.assert_allclose(found["dll_hpn_theory_ratio"], [np.nan, 2.0])
    assert "dll_pm_theory_ratio" not in found


def test_hmcode_is_the_spectrum_of_kappatng():
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    table = validation.published_spectra((0.914,), spectrum(*validation.KTNG_EDGES))
    assert len(table) == 11
    assert list(table["low"]) == list(validation.KTNG_EDGES[:-1])
    # HMCode2020 is good to 2.5 % in matter power; three published digits
    np.testing.assert_allclose(table["ktng"] / table["ktng_limber"], 1, atol=0.02)
