"""What coarser simulations say of a forecast: bins, parameters, information and intervals."""

from math import log

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher.data_vector import ForecastOptions, ParameterSpace, data_vector_forecast
from lenscast.fisher.resolution import Level, change
from lenscast.fisher.samples import Jacobians, SummarySample

PARAMETERS = ("Omega_c", "sigma8")
SPACE = ParameterSpace(PARAMETERS, (), {"Omega_c": 0.26, "Omega_b": 0.05, "sigma8": 0.8}, {"Omega_c": 0.2})
BINS = pd.DataFrame({"statistic": "spectrum", "name": [f"C_{index}" for index in range(5)], "source_1": 0})
TRUE = np.array([[5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 2.0]])
ERROR = np.array([[0.01, 0.02, 0.1, 0.6, 1.0], [0.0, 0.04, 0.2, 0.9, 1.5]])
"""What the fine level lacks: little in the first bins, a third in the fourth, more than the rest in the last."""


@pytest.fixture
def campaign():
    """Jacobians of 40 boxes whose fine level lacks ERROR, eight of them with four times as much at the coarse level."""
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(40, 2, 5))
    fine = Jacobians(TRUE - ERROR + noise, 100 + np.zeros((40, 5)), np.arange(40), PARAMETERS, BINS)
    shared, box = noise[:8], np.arange(8)
    own = 1e-4 * rng.normal(size=(8, 2, 5))
    coarse = Jacobians(TRUE - 4 * ERROR + shared + own, 90 + np.zeros((8, 5)), box, PARAMETERS, BINS)
    here = fine._replace(jacobian=fine.jacobian[:8], expected=fine.expected[:8], box=box)
    maps = 100 + rng.normal(size=(4000, 5)) * np.sqrt([1.0, 2, 3, 4, 5])
    return SummarySample(maps, np.arange(4000), BINS), fine, Level("particles", here, coarse)


def forecast(campaign, **options):
    summaries, jacobians, level = campaign
    given = ForecastOptions(levels=[level], **options)
    return data_vector_forecast(summaries, jacobians, ["spectrum"], SPACE, 1.0, given)


def test_what_is_left_is_a_third_of_the_change_without_the_scatter_of_boxes(campaign):
    found = change(campaign[2], PARAMETERS, tuple(BINS["name"]))
    np.testing.assert_allclose(found.left, ERROR, atol=2e-4)
    assert found.jacobian_error.max() < 2e-4  # the boxes themselves scatter by .01
    np.testing.assert_allclose(found.data, 10)


def test_bins_have_verdicts_by_what_is_left_in_their_derivatives(campaign):
    made = forecast(campaign)
    table = made.resolution
    assert list(table["verdict"]) == ["resolved", "resolved", "resolved", "partly", "not resolved"]
    np.testing.assert_allclose(table["data_change"], 10 / (made.covariance.mean - 10), rtol=1e-6)
    sigma = made.parameters.query("estimator == 'cross' and with_priors").set_index("parameter")["sigma"]
    weights = sigma[list(PARAMETERS)].to_numpy()[:, None]
    mean = campaign[1].jacobian.mean(axis=0)
    share = np.sqrt(((ERROR * weights) ** 2).sum(axis=0) / ((mean * weights) ** 2).sum(axis=0))
    np.testing.assert_allclose(table["derivative_left"], share, atol=1e-3)


@pytest.mark.slow
def test_intervals_and_shares_contain_the_error_with_the_true_derivatives(campaign):
    made, plain = forecast(campaign), data_vector_forecast(*campaign[:2], ["spectrum"], SPACE, 1.0)
    inverse = made.estimate.scale * np.linalg.inv(made.covariance.matrix)
    mean = campaign[1].jacobian.mean(axis=0)
    prior = np.diag([0.2**-2, 0.0])
    true = np.sqrt(np.diag(np.linalg.inv((mean + ERROR) @ inverse @ (mean + ERROR).T + prior)))
    rows, before = (
        each.parameters.query("estimator == 'cross' and with_priors").set_index("parameter").loc[list(PARAMETERS)]
        for each in (made, plain)
    )
    # B is subtracted in the forecast and is tiny here
    np.testing.assert_allclose(rows["sigma_left"], true, rtol=2e-3)
    for name in PARAMETERS:
        factor = log(rows["sigma_left"][name] / rows["sigma"][name])
        for limit in ("sigma_low", "sigma_high"):
            wide, narrow = (log(each[limit][name] / each["sigma"][name]) for each in (rows, before))
            assert wide == pytest.approx(np.sign(narrow) * np.hypot(narrow, factor), rel=1e-6)
    moved = (mean + ERROR) @ inverse @ (mean + ERROR).T - mean @ inverse @ mean.T
    total = mean @ inverse @ mean.T + prior
    direction = made.directions[list(PARAMETERS)].to_numpy()[0]
    unit = np.array([0.2, 1e3 / np.sqrt(made.estimate.standard.matrix[1, 1])]) * direction
    share = abs(unit @ moved @ unit) / (unit @ total @ unit)
    assert made.directions["resolution_in_particles"][0] == pytest.approx(share, rel=0.02)


def test_scale_cuts_leave_out_bins_that_are_not_resolved(campaign):
    made = forecast(campaign, scale_cuts="resolved")
    assert list(made.bins["name"]) == ["C_0", "C_1", "C_2", "C_3"]
    assert list(made.covariance.data) == ["C_0", "C_1", "C_2", "C_3"]
    assert list(made.resolution["name"]) == ["C_4", "C_0", "C_1", "C_2", "C_3"]


def test_a_forecast_without_resolved_bins_is_refused(campaign):
    summaries, jacobians, level = campaign
    far = level._replace(coarse=level.coarse._replace(jacobian=-5 * level.coarse.jacobian))
    with pytest.raises(
        ValueError, match=r"forecast\.scale_cuts: 0 of 5 bins are resolved.*raise simulation\.particles"
    ):
        forecast((summaries, jacobians, far), scale_cuts="resolved")


def test_the_key_that_raises_the_resolution_follows_from_the_level(campaign):
    summaries, jacobians, level = campaign
    far = level._replace(name="plane_mesh", coarse=level.coarse._replace(jacobian=-5 * level.coarse.jacobian))
    with pytest.raises(ValueError, match=r"parameters: raise lightcone\.plane_mesh, or set scale_cuts: none"):
        forecast((summaries, jacobians, far), scale_cuts="resolved")


def test_levels_have_the_same_boxes(campaign):
    level = campaign[2]
    other = level._replace(coarse=level.coarse._replace(box=np.arange(1, 9)))
    with pytest.raises(ValueError, match=r"with coarser particles.*the same at both levels"):
        change(other, PARAMETERS, tuple(BINS["name"]))
