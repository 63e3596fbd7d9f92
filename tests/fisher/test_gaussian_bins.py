"""Bins that are too empty or too skewed for a Gaussian likelihood."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lenscast.fisher.data_vector import ForecastOptions, ParameterSpace, data_vector_forecast
from lenscast.fisher.gaussian_bins import LIMITS, GaussianBins, gaussian_table
from lenscast.fisher.samples import Jacobians, SummarySample

MEANS = [400.0, 30.0, 12.0, 3.0]
BINS = pd.DataFrame(
    {
        "statistic": 4 * ["counts"] + 2 * ["density"],
        "name": [*(f"counts_{mean:g}" for mean in MEANS), "density_normal", "density_skewed"],
        "source_1": 0,
    }
)
SPACE = ParameterSpace(("sigma8",), (), {"sigma8": 0.8}, {})


@pytest.fixture
def campaign():
    """Poisson counts, a normal variable of mean 1 and one of skewness 2 / 5^(1/2), on 4000 maps."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(MEANS, (4000, 4))
    densities = np.column_stack([rng.normal(1.0, 0.1, 4000), rng.gamma(5.0, 0.2, 4000)])
    summaries = SummarySample(np.hstack([counts, densities]), np.arange(4000), BINS)
    jacobian = 1.0 + 0.01 * rng.normal(size=(20, 1, 6))
    return summaries, Jacobians(jacobian, np.ones((20, 6)), np.arange(20), ("sigma8",), BINS)


def forecast(campaign, **options):
    given = ForecastOptions(counts=["counts"], **options)
    return data_vector_forecast(*campaign, ["counts", "density"], SPACE, 1.0, given)


def test_bins_have_verdicts_by_their_counts_and_their_skewness(campaign):
    table = gaussian_table(campaign[0], BINS, ["counts"], LIMITS)
    assert list(table["verdict"]) == ["Gaussian", "Gaussian", "Gaussian", "few", "Gaussian", "skewed"]
    true = [*(mean**-0.5 for mean in MEANS), 0, 2 / 5**0.5]
    # the error of a skewness is (6 / n)^(1/2) = 0.04 for normal variables, and three times that for the last
    np.testing.assert_allclose(table["skewness"], true, atol=0.12)
    np.testing.assert_allclose(table["skewness"], [stats.skew(each, bias=False) for each in campaign[0].measured.T])
    np.testing.assert_allclose(table["mean"], [*MEANS, 1, 1], rtol=0.02)
    np.testing.assert_allclose(table["standard_deviation"][:4], np.sqrt(MEANS), rtol=0.04)


def test_limits_decide(campaign):
    table = gaussian_table(campaign[0], BINS, ["counts"], GaussianBins(min_count=20.0, max_skewness=2.0))
    assert list(table["verdict"]) == ["Gaussian", "Gaussian", "few", "few", "Gaussian", "Gaussian"]
    # a mean below the limit is no count where nothing is counted
    assert set(gaussian_table(campaign[0], BINS, [], GaussianBins(1e3, 2.0))["verdict"]) == {"Gaussian"}


def test_bins_beyond_the_limits_are_left_out_on_request_only(campaign):
    kept, dropped = forecast(campaign), forecast(campaign, drop_bins="auto")
    assert list(kept.bins["name"]) == list(BINS["name"])
    used = ["counts_400", "counts_30", "counts_12", "density_normal"]
    assert list(dropped.bins["name"]) == list(dropped.covariance.data) == used
    for made in (kept, dropped):
        assert list(made.gaussian["name"]) == list(BINS["name"])


def test_an_empty_bin_is_left_out_before_its_covariance_is_asked_for(campaign):
    summaries, jacobians = campaign
    summaries.measured[:, 3] = 0
    made = forecast(campaign, drop_bins="auto")
    assert made.gaussian["verdict"][3] == "few"
    assert made.gaussian["skewness"][3] == 0
    with pytest.raises(ValueError, match="the same value in all 4000 maps for counts_3"):
        forecast((summaries, jacobians))


def test_a_forecast_without_gaussian_bins_is_refused(campaign):
    with pytest.raises(ValueError, match=r"forecast\.drop_bins: 0 of 6 bins are Gaussian.*or set drop_bins: none"):
        forecast(campaign, drop_bins="auto", gaussian_bins=GaussianBins(1e6, 1e-4))
