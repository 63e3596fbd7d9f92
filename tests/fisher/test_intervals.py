"""Intervals for forecast errors: how often they hold the true error."""

import numpy as np
import pytest
from scipy import stats

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.derived import DerivedParameter
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.intervals import sigma_interval

BINS, BOXES, MAPS, TRIALS = 10, 24, 300, 200
NAMES, DATA = tuple("abcd"), tuple(map(str, range(BINS)))
FIDUCIAL, PRIORS = dict.fromkeys(NAMES, 1.0), dict.fromkeys(NAMES, 1.0)
DERIVED = [DerivedParameter("sum", 2.0, {"a": 1.0, "b": 0.5})]
WELL, DEGENERATE, HOPELESS = (1e4, 2e3, 400.0, 100.0), (1e4, 400.0, 2.0, 1.0), (1e4, 100.0, 0.07, 0.0)


def rotation(size: int, seed: int) -> np.ndarray:
    """Orthogonal matrix, so that no parameter is an eigenvector."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def jacobian(information: tuple[float, ...]) -> np.ndarray:
    """Jacobian with given eigenvalues of the Fisher matrix over that of the priors, for a unit covariance."""
    return rotation(4, 3) @ np.diag(np.sqrt(information)) @ rotation(BINS, 4)[:4]


def simulated(rng: np.random.Generator, information: tuple[float, ...], noise: float) -> FisherEstimate:
    """Estimate from noisy Jacobians, part of whose scatter is common to all elements, and a noisy covariance."""
    mean = jacobian(information)
    rows = mean * (1 + 0.1 * rng.normal(size=(BOXES, 1, 1))) + noise * rng.normal(size=(BOXES, 4, BINS))
    matrix = stats.wishart(MAPS - 1, np.eye(BINS) / (MAPS - 1)).rvs(random_state=rng)
    covariance = Covariance(DATA, np.zeros(BINS), matrix, MAPS, MAPS, np.ones(BINS))
    return fisher_estimate(DerivativeSample(NAMES, DATA, np.arange(BOXES), rows), covariance, FIDUCIAL, 1.0)


# 68 % is aimed at. Where directions are nearly degenerate the interval holds more, since what clipping hides is part of
# it and since it ends at the prior.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("information", "noise", "least", "most"),
    [(WELL, 2.0, 0.5, 0.85), (HOPELESS, 0.3, 0.5, 0.95), (DEGENERATE, 1.0, 0.5, 0.95), (HOPELESS, 2.0, 0.5, 1.0)],
)
def test_interval_holds_the_true_error(information, noise, least, most) -> None:
    mean, rng = jacobian(information), np.random.default_rng(0)
    rows = np.vstack([np.eye(4), [1.0, 0.5, 0.0, 0.0]])
    truth = np.sqrt(np.diag(rows @ np.linalg.inv(mean @ mean.T + np.eye(4)) @ rows.T))
    hits = np.zeros(5)
    for _ in range(TRIALS):
        interval = sigma_interval(simulated(rng, information, noise), "cross", PRIORS, DERIVED)
        hits += (interval.low <= truth) & (truth <= interval.high)
    assert np.all(hits / TRIALS >= least)
    assert np.all(hits / TRIALS <= most)


@pytest.mark.parametrize("name", ["cross", "standard"])
def test_interval_holds_the_error_and_ends_at_the_prior(name: str) -> None:
    made = simulated(np.random.default_rng(1), HOPELESS, 1.0)
    interval = sigma_interval(made, name, PRIORS)
    sigma = made.fisher(name, PRIORS).with_priors(PRIORS).inverse().marginal_errors
    assert np.all(interval.low < sigma)
    assert np.all(sigma < interval.high)
    assert np.all(interval.high <= 1)


def test_interval_without_noise_of_derivatives_is_that_of_the_covariance() -> None:
    exact = DerivativeSample(NAMES, DATA, np.arange(BOXES), np.tile(jacobian(WELL), (BOXES, 1, 1)))
    made = fisher_estimate(exact, Covariance(DATA, np.zeros(BINS), np.eye(BINS), 60, 60, np.ones(BINS)), FIDUCIAL, 1.0)
    interval = sigma_interval(made, "cross", {})
    # relative scatter of sigma = sqrt(1 / 2 nu), nu = 60 - 1 - 10 + 4
    np.testing.assert_allclose(np.log(interval.high / interval.low) / 2, np.sqrt(1 / (2 * 53)), rtol=1e-6)


def test_noise_of_other_boxes_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    made = simulated(rng, WELL, 0.5)
    outside = 0.5 * rng.normal(size=(1, 4, BINS))
    sample = DerivativeSample(NAMES, DATA, np.arange(BOXES), made.whitened, outside)
    covariance = Covariance(DATA, np.zeros(BINS), np.eye(BINS), MAPS, MAPS, np.ones(BINS))
    wide = sigma_interval(fisher_estimate(sample, covariance, FIDUCIAL, 1.0), "cross", PRIORS)
    bare = DerivativeSample(NAMES, DATA, np.arange(BOXES), made.whitened)
    narrow = sigma_interval(fisher_estimate(bare, covariance, FIDUCIAL, 1.0), "cross", PRIORS)
    assert np.all(wide.high / wide.low > narrow.high / narrow.low)


def test_two_boxes_give_no_interval() -> None:
    interval = sigma_interval(simulated(np.random.default_rng(1), WELL, 1.0).in_boxes(slice(2)), "cross", PRIORS)
    assert np.isnan(interval).all()
