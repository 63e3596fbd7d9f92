"""Forecasts of arrays: against a Gaussian model whose errors are known, and what is said of wrong arrays."""

import numpy as np
import pytest

from lenscast.fisher.arrays import ALL, Setting, central_differences, forecast_arrays

DATA, PARAMETERS = 6, ("Omega_m", "sigma8")
MEAN = np.array([[3.0, 0, 3, 0, 3, 1], [0, 3, 1, 3, 0, 3]])
COVARIANCE = 0.5 * np.eye(DATA) + 0.5
SETTING = Setting(
    PARAMETERS,
    {"Omega_m": 0.3, "sigma8": 0.8},
    {"Omega_m": 0.2},
    area_ratio=50.0,
    statistics=["spectrum"] * 3 + ["peaks"] * 3,
)


@pytest.fixture(scope="module")
def arrays():
    """Twenty thousand realisations, and forty boxes."""
    rng = np.random.default_rng(0)
    summaries = 100 + rng.multivariate_normal(np.zeros(DATA), COVARIANCE, 20_000)
    return summaries, MEAN + 0.1 * rng.standard_normal((40, 2, DATA))


@pytest.mark.slow
def test_errors_are_those_of_the_gaussian_model(arrays):
    forecasts = forecast_arrays(*arrays, SETTING)
    assert list(forecasts) == ["spectrum", "peaks", ALL]
    parts = {"spectrum": slice(0, 3), "peaks": slice(3, 6), ALL: slice(0, 6)}
    for name, part in parts.items():
        information = 50 * MEAN[:, part] @ np.linalg.inv(COVARIANCE[part, part]) @ MEAN[:, part].T
        exact = np.sqrt(np.diag(np.linalg.inv(information + np.diag([0.2**-2, 0]))))
        table = forecasts[name].parameters
        rows = table[(table["estimator"] == "cross") & table["with_priors"]].set_index("parameter")
        # the covariance of 20 000 realisations is good to 1 %, and derivatives of 40 boxes to .1 / 40**.5 of 3
        np.testing.assert_allclose(rows["sigma"][list(PARAMETERS)], exact, rtol=0.03)
        assert rows["fiducial"]["S8"] == pytest.approx(0.8)
        gradient = np.array([0.8 / 0.6, 1.0])
        posterior = np.linalg.inv(information + np.diag([0.2**-2, 0]))
        assert rows["sigma"]["S8"] == pytest.approx(np.sqrt(gradient @ posterior @ gradient), rel=0.03)
        assert set(rows["verdict"]) == {"converged"}
        assert set(table["estimator"]) == {"cross", "standard", "compressed", "combined"}


def test_realisations_of_one_box_count_less(arrays):
    summaries, jacobians = arrays
    shared = np.repeat(summaries[:500], 4, axis=0)
    alone, together = (
        forecast_arrays(shared, jacobians, Setting(PARAMETERS, SETTING.fiducial, summary_box=box))["data"]
        for box in (None, np.repeat(np.arange(500), 4))
    )
    assert alone.estimate.n_effective == 2000
    assert together.estimate.n_effective == pytest.approx(500, rel=0.1)


def test_the_order_of_boxes_does_not_matter(arrays):
    summaries, jacobians = arrays
    order = np.random.default_rng(1).permutation(40)
    shuffled = Setting(PARAMETERS, SETTING.fiducial, box=order)
    first = forecast_arrays(summaries, jacobians, Setting(PARAMETERS, SETTING.fiducial))["data"]
    second = forecast_arrays(summaries, jacobians[order], shuffled)["data"]
    np.testing.assert_allclose(first.parameters["sigma"], second.parameters["sigma"], rtol=1e-9)


def test_differences_are_central():
    theta, step = np.array([0.3, 0.8]), [0.01, 0.02]
    plus, minus = (np.stack([[(theta + sign * step[p] * np.eye(2)[p]) ** 2 for p in range(2)]] * 3) for sign in (1, -1))
    np.testing.assert_allclose(central_differences(plus, minus, step), np.stack([np.diag(2 * theta)] * 3), atol=1e-12)
    with pytest.raises(ValueError, match=r"shapes \(3, 2, 2\) and \(2, 2, 2\); give boxes x parameters x data"):
        central_differences(plus, minus[:2], step)
    with pytest.raises(ValueError, match=r"step: \[0.01, 0.0\] for 2 parameters; give one positive number"):
        central_differences(plus, minus, [0.01, 0.0])


def with_nan(values):
    broken = values.copy()
    broken[(3,) * values.ndim if values.ndim == 2 else (3, 1, 2)] = np.nan
    return broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, j: (s[0], j, {}), r"summaries: shape \(6,\); give two axes, realisations x data"),
        (lambda s, j: (s[:40].T, j, {}), "the axes of summaries are exchanged: give realisations x data"),
        (
            lambda s, j: (s, j.swapaxes(1, 2), {}),
            r"jacobians: shape \(40, 6, 2\) .* last two axes are exchanged: give boxes x 2 parameters x 6 data",
        ),
        (lambda s, j: (s, j[:, :1], {}), r"give boxes x 2 parameters x 6 data"),
        (lambda s, j: (s, j.mean(axis=0), {}), r"jacobians: shape \(2, 6\)"),
        (lambda s, j: (with_nan(s), j, {}), r"summaries: nan at realisation 3, datum 'datum 3' \(1 of 120000 numbers"),
        (lambda s, j: (s, with_nan(j), {}), r"jacobians: nan at box 3, parameter 1, datum 'datum 2'"),
        (lambda s, j: (s[:8], j, {}), r"8 realisations of 6 data; a covariance needs 9 or more \(d \+ 3\)"),
        (lambda s, j: (s, j[:1], {}), "jacobians: 1 box; the noise of the Jacobian comes from the scatter"),
        (lambda s, j: (s, j, {"data": ["a"] * 6}), "datum 'a' given more than once"),
        (lambda s, j: (s, j, {"data": ["a", "b"]}), "data: 2 given for 6 data; give one for each, in their order"),
        (lambda s, j: (s, j, {"box": [1] * 40}), "box '1' given more than once"),
        (lambda s, j: (s, j, {"priors": {"sigma_8": 0.1}}), "'sigma_8': .* did you mean 'sigma8'"),
        (lambda s, j: (s, j, {"priors": {"sigma8": 0.0}}), "give positive standard deviations"),
        (lambda s, j: (s, j, {"fiducial": {"Omega_m": 0.3}}), "unknown parameter with a fiducial value 'sigma8'"),
        (lambda s, j: (s, j, {"fiducial": {"Omega_m": 0.3, "sigma8": np.nan}}), "fiducial: .*give finite numbers"),
        (lambda s, j: (s, j, {"area_ratio": 0.0}), "area ratio 0.0"),
    ],
)
def test_wrong_arrays_are_one_clear_error(arrays, change, message):
    summaries, jacobians, changes = change(*arrays)
    setting = Setting(**{"parameters": PARAMETERS, "fiducial": SETTING.fiducial, **changes})
    with pytest.raises(ValueError, match=message) as error:
        forecast_arrays(summaries, jacobians, setting)
    assert "\n" not in str(error.value)
