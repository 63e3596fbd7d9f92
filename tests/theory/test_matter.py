import sys

import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import theory
from lenscast.gravity.matter_power import MeasuredPower, PowerToday


def test_linear_power_has_the_sigma8_asked_for(halofit, parameters):
    ln_k = np.linspace(np.log(1e-4), np.log(50.0), 4000)
    k = np.exp(ln_k)
    x = 8 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(halofit.linear(k) * window**2 * k**3 / (2 * np.pi**2), ln_k)
    # CAMB's splines between its wavenumbers
    np.testing.assert_allclose(np.sqrt(variance), float(parameters.sigma8), rtol=3e-4)


def test_matter_power_table_removes_the_sample_variance_of_the_initial_modes(parameters, power_law, monkeypatch):
    monkeypatch.setattr(theory.matter, "matter_power", lambda _: power_law)
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
