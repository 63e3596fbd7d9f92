import sys

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from lenscast import theory
from lenscast.cosmology import Parameters, cosmology
from lenscast.cosmology.background import SPEED_OF_LIGHT_OVER_H0
from lenscast.gravity.matter_power import MeasuredPower, PowerToday
from lenscast.lensing import Lightcone, plane_window

PLANCK15 = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
Z_SOURCE = (0.914,)
ELL = np.array([277.0, 565.0, 1141.0])
WITHOUT_WINDOWS = Lightcone(205.0, 1, 11, 256, 5.0, 256)


class Interpolator:
    """CAMB's interface to a power spectrum, of P(k, z) = 1e4 (k / 0.1)^-1.5 / (1 + z)."""

    def P(self, z, k):
        return 1e4 * (k / 0.1) ** -1.5 / (1 + z)


POWER_LAW = theory.MatterPower({"linear": Interpolator(), "nonlinear": Interpolator()})


@pytest.fixture(scope="module")
def parameters():
    return Parameters.from_config(PLANCK15)


@pytest.fixture(scope="module")
def cosmos(parameters):
    return cosmology(parameters)


@pytest.fixture(scope="module")
def halofit(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    return theory.matter_power(parameters, z_max=1.0)


def test_limber_agrees_with_adaptive_quadrature(cosmos):
    chi_source = float(cosmos.distances.comoving_distance(jnp.array(1 / 1.914)))
    strength = float(1.5 * cosmos.parameters.Omega_m) / SPEED_OF_LIGHT_OVER_H0**2

    def integrand(chi, ell):
        a = float(cosmos.distances.scale_factor(jnp.array(chi)))
        return (strength / a * (1 - chi / chi_source)) ** 2 * Interpolator().P(1 / a - 1, ell / chi)

    expected = [quad(integrand, 0, chi_source, args=(ell,), epsrel=1e-8)[0] for ell in ELL]
    # chi^1.5 at the observer limits the panels of 8 nodes to 1e-7
    np.testing.assert_allclose(theory.limber(ELL, Z_SOURCE, cosmos, POWER_LAW)[0], expected, rtol=1e-6)


def test_plane_sum_is_limber_within_two_per_mille_on_thick_planes(cosmos, halofit):
    exact = theory.limber(ELL, Z_SOURCE, cosmos, halofit)
    planes = theory.plane_sum(ELL, Z_SOURCE, cosmos, halofit, WITHOUT_WINDOWS, windows=False)
    np.testing.assert_allclose(planes, exact, rtol=2e-3)


def test_plane_sum_of_one_plane_is_suppressed_by_its_window(cosmos):
    lightcone = Lightcone(205.0, 1, 1, 64, 5.0, 64)
    plain, seen = (theory.plane_sum(ELL, Z_SOURCE, cosmos, POWER_LAW, lightcone, each) for each in (False, True))
    np.testing.assert_allclose(seen, plain * plane_window(ELL, lightcone.chi[0], lightcone))


def test_plane_sum_with_windows_leaves_out_modes_longer_than_the_box(cosmos):
    lightcone = Lightcone(205.0, 1, 1, 64, 5.0, 64)
    fundamental = 2 * np.pi * lightcone.chi[0] / 205.0
    ell = fundamental * np.array([0.99, 1.01])
    outside, inside = theory.plane_sum(ell, Z_SOURCE, cosmos, POWER_LAW, lightcone)[0]
    assert outside == 0
    assert inside > 0


def test_spectra_run_over_pairs_of_sources(cosmos):
    auto = [theory.limber(ELL, (z,), cosmos, POWER_LAW)[0] for z in (0.5, 0.9)]
    pairs = theory.limber(ELL, (0.5, 0.9), cosmos, POWER_LAW)
    np.testing.assert_allclose(pairs[[0, 2]], auto)
    assert np.all((pairs[1] > pairs[0]) & (pairs[1] < pairs[2]))


def test_bin_averages_weigh_by_the_number_of_modes():
    edges = (100.0, 300.0, 500.0)
    nodes = theory.gauss_legendre(np.array(edges), 4).nodes.ravel()
    # int ell^3 dell / int ell dell for C = ell^2
    expected = [(high**2 + low**2) / 2 for low, high in ((100.0, 300.0), (300.0, 500.0))]
    np.testing.assert_allclose(theory.bin_averages(nodes[None] ** 2, edges)[0], expected)


def test_linear_power_has_the_sigma8_asked_for(halofit):
    ln_k = np.linspace(np.log(1e-4), np.log(50.0), 4000)
    k = np.exp(ln_k)
    x = 8 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(halofit.linear(k) * window**2 * k**3 / (2 * np.pi**2), ln_k)
    # CAMB's splines between its wavenumbers
    np.testing.assert_allclose(np.sqrt(variance), PLANCK15["sigma8"], rtol=3e-4)


def test_spectra_table_has_the_derivatives_of_halofit(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    fine = Lightcone(205.0, 1, 11, 8192, 5.0, 256)
    edges = (276.0, 278.0, 564.0, 566.0)
    table = theory.spectra_table(parameters, Z_SOURCE, edges, fine, {"sigma8": 0.01}).iloc[[0, 2]]
    # from an independent code at z_s = 0.91 and ell = 277, 565, quoted to two decimals
    np.testing.assert_allclose(table["dln_sigma8"], [3.10, 3.47], rtol=0.01)
    # cells of 0.025 Mpc/h and thick planes: what is left are the windows of the nearest planes
    np.testing.assert_allclose(table["limber_windows"], table["limber"], rtol=5e-3)
    assert list(table["ell"]) == pytest.approx([277.0, 565.0], rel=1e-4)


def test_matter_power_table_removes_the_sample_variance_of_the_initial_modes(parameters, monkeypatch):
    monkeypatch.setattr(theory, "matter_power", lambda _: POWER_LAW)
    k = jnp.array([0.05, 0.1, 0.2])
    powers = [
        PowerToday(
            linear=MeasuredPower(k[:2], jnp.array([100.0, 50.0]) * luck, np.ones(2, int)),
            evolved=MeasuredPower(k, jnp.array([200.0, 100.0, 50.0]) * luck, np.ones(3, int)),
        )
        for luck in (0.8, 1.2)
    ]
    table = theory.matter_power_table(powers, parameters)
    np.testing.assert_allclose(table["corrected"][:2], 2 * table["linear"][:2])
    np.testing.assert_allclose(table["corrected_error"][:2], 0, atol=1e-9)
    np.testing.assert_allclose(table["power"], [200.0, 100.0, 50.0])
    assert np.isnan(table["corrected"][2])


def test_matter_power_without_camb_names_the_extra(parameters, monkeypatch):
    monkeypatch.setitem(sys.modules, "camb", None)
    with pytest.raises(ValueError, match=r"pip install 'lenscast\[theory\]'"):
        theory.matter_power(parameters)


def test_matter_power_refuses_an_unknown_model_and_names_those_there_are(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    with pytest.raises(ValueError, match=r"model = 'halofut': CAMB's models .* takahashi"):
        theory.matter_power(parameters, model="halofut")
