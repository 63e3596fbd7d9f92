import sys

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import theory
from lenscast.cosmology import Parameters
from lenscast.gravity.matter_power import MeasuredPower, PowerToday

PLANCK15 = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}


class Interpolator:
    """CAMB's interface to a power spectrum, of P(k, z) = 1e4 (k / 0.1)^-1.5 / (1 + z)."""

    def P(self, z, k):
        return 1e4 * (k / 0.1) ** -1.5 / (1 + z)


POWER_LAW = theory.MatterPower({"linear": Interpolator(), "nonlinear": Interpolator()})


@pytest.fixture(scope="module")
def parameters():
    return Parameters.from_config(PLANCK15)


@pytest.fixture(scope="module")
def halofit(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    return theory.matter_power(parameters, z_max=1.0)


def test_linear_power_has_the_sigma8_asked_for(halofit):
    ln_k = np.linspace(np.log(1e-4), np.log(50.0), 4000)
    k = np.exp(ln_k)
    x = 8 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(halofit.linear(k) * window**2 * k**3 / (2 * np.pi**2), ln_k)
    # CAMB's splines between its wavenumbers
    np.testing.assert_allclose(np.sqrt(variance), PLANCK15["sigma8"], rtol=3e-4)


def test_matter_power_table_removes_the_sample_variance_of_the_initial_modes(parameters, monkeypatch):
    monkeypatch.setattr(theory.matter, "matter_power", lambda _: POWER_LAW)
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
