import sys

import numpy as np
import pytest

from lenscast import theory


def test_linear_power_has_the_sigma8_asked_for(halofit, parameters):
    ln_k = np.linspace(np.log(1e-4), np.log(50.0), 4000)
    k = np.exp(ln_k)
    x = 8 * k
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(halofit.linear(k) * window**2 * k**3 / (2 * np.pi**2), ln_k)
    # CAMB's splines between its wavenumbers
    np.testing.assert_allclose(np.sqrt(variance), float(parameters.sigma8), rtol=3e-4)


def test_camb_power_without_camb_names_the_extra(parameters, monkeypatch):
    monkeypatch.setitem(sys.modules, "camb", None)
    with pytest.raises(ValueError, match=r"pip install 'lenscast\[theory\]'"):
        theory.camb_power(parameters)


def test_camb_power_refuses_an_unknown_model_and_names_those_there_are(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    with pytest.raises(ValueError, match=r"model = 'halofut': CAMB's models .* takahashi"):
        theory.camb_power(parameters, model="halofut")
