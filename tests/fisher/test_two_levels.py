"""Mean of two levels of resolution: no bias, noise that is what it says, and the gain of theory."""

import numpy as np
import pytest

from lenscast.fisher.control import Control, with_control
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.two_levels import TwoLevelMean, two_level_mean

PARAMETERS, SHARED, ALONE = 3, 4, 2
BINS = SHARED + ALONE
NAMES, DATA = tuple("abc"), tuple(map(str, range(BINS)))
STATISTICS = SHARED * ["spectrum"] + ALONE * ["peaks"]


def draw(rng: np.random.Generator, boxes: int, further: int, squared: float) -> list[DerivativeSample]:
    """Fine Jacobians with a mean of 1, and coarse ones with another mean and size of scatter.

    The levels have the squared correlation ``squared`` in the first bins and none in the last ones. Two parameters
    nearly cancel at both.
    """
    sizes = np.array([1.0, 30.0, 0.1])[:, None]
    common, own_fine, own_coarse = rng.normal(size=(3, boxes + further, PARAMETERS, BINS))
    for each in (common, own_fine, own_coarse):
        each[:, 2] = 0.95 * each[:, 0] + 0.05 * each[:, 2]
    share = np.where(np.arange(BINS) < SHARED, np.sqrt(squared), 0.0)
    fine = 1 + sizes * (np.sqrt(share) * common + np.sqrt(1 - share) * own_fine)
    coarse = 0.4 + 1.7 * sizes * (np.sqrt(share) * common + np.sqrt(1 - share) * own_coarse)
    box = np.arange(boxes + further)
    here, there = slice(boxes), slice(boxes, None)
    given = [(here, fine), (here, coarse), (there, coarse)]
    return [DerivativeSample(NAMES, DATA, box[rows], values[rows]) for rows, values in given]


def noise(sample: DerivativeSample) -> np.ndarray:
    """Covariance of the mean Jacobian over all parameters and bins."""
    flat = sample.jacobian.reshape(len(sample.box), -1)
    outside = sample.outside.reshape(-1, flat.shape[1])
    return np.cov(flat, rowvar=False) / len(flat) + outside.T @ outside


@pytest.mark.slow
@pytest.mark.parametrize(("boxes", "further"), [(16, 64), (40, 40)])
def test_mean_has_no_bias_the_noise_that_it_says_and_the_gain_of_theory(boxes: int, further: int) -> None:
    trials, squared, rng = 200, 0.8, np.random.default_rng(5)
    plain, found, said, gains, information = [], [], [], [], []
    for _ in range(trials):
        levels = draw(rng, boxes, further, squared)
        made = two_level_mean(*levels, STATISTICS)
        plain.append(levels[0].mean.ravel())
        found.append(made.sample.mean.ravel())
        said.append(noise(made.sample))
        gains.append(made.table.set_index("statistic")["gain"])
        # cross estimate of the information of one parameter with a unit covariance: the sum over bins of 1
        variance = np.diag(said[-1]).reshape(PARAMETERS, BINS)
        information.append((made.sample.mean[2] ** 2).sum() - variance[2].sum())
    found, said = np.array(found), np.array(said)
    # each repetition against the truth in its own errors: z of 16 boxes has t's tails, 15 / 13
    z = (found - 1) / np.sqrt(np.diagonal(said, axis1=1, axis2=2))
    assert np.mean(z**2) == pytest.approx(1, abs=0.2)
    z = (found.mean(axis=0) - 1) / (found.std(axis=0) / np.sqrt(trials))
    assert np.mean(z**2) < 2.2  # 18 numbers that are correlated
    assert np.mean(information) == pytest.approx(BINS, abs=4 * np.std(information) / np.sqrt(trials))
    before, after = (np.var(each, axis=0).reshape(PARAMETERS, BINS) for each in (plain, found))
    ideal = 1 / (1 - squared * further / (boxes + further))
    # the weight costs 1 / boxes; 200 draws of 12 variances, two of whose parameters are nearly one
    assert (before / after)[:, :SHARED].mean() == pytest.approx(ideal, rel=0.15)
    np.testing.assert_allclose((before / after)[:, SHARED:], 1, rtol=1e-12)
    # in units of the scatter of few boxes, the part of the noise that is left looks up to 15 / 11 larger
    assert 0.78 * ideal < np.mean([each["spectrum"] for each in gains]) < 1.05 * ideal


def test_parameters_that_nearly_cancel_gain_as_much() -> None:
    rng, weights = np.random.default_rng(2), np.array([1.0, 0.0, -10.0])
    before, after = [], []
    for _ in range(100):
        levels = draw(rng, 24, 240, 0.9)
        before.append((weights @ levels[0].mean)[:SHARED])
        after.append((weights @ two_level_mean(*levels, STATISTICS).sample.mean)[:SHARED])
    ideal = 1 / (1 - 0.9 * 240 / 264)
    assert np.var(before, axis=0).mean() / np.var(after, axis=0).mean() == pytest.approx(ideal, rel=0.25)


def test_levels_that_gain_little_leave_the_fine_boxes_as_they_are() -> None:
    # 1 / (1 - 0.1 * 0.8) = 1.09 at best
    levels = draw(np.random.default_rng(0), 32, 128, 0.1)
    made = two_level_mean(*levels, STATISTICS)
    np.testing.assert_array_equal(made.sample.jacobian, levels[0].jacobian)
    assert len(made.sample.outside) == 0
    assert list(made.table["statistic"]) == ["spectrum", "peaks"]
    assert not made.table["used"].any()
    assert (made.table["gain"] < 1.2).all()


def test_derivatives_without_scatter_stay_as_they_are() -> None:
    fine, coarse, further = draw(np.random.default_rng(0), 20, 30, 0.8)
    still = DerivativeSample(NAMES, DATA, fine.box, np.ones_like(fine.jacobian))
    made = two_level_mean(still, coarse, further, STATISTICS)
    np.testing.assert_array_equal(made.sample.jacobian, 1)
    assert made.table["gain"].tolist() == [1, 1]
    assert made.table["correlation"].tolist() == [0, 0]


def test_correlation_is_that_between_boxes() -> None:
    levels = draw(np.random.default_rng(1), 400, 2, 0.8)
    spectrum, peaks = two_level_mean(*levels, STATISTICS).table["correlation"]
    assert spectrum == pytest.approx(np.sqrt(0.8), abs=0.03)
    assert peaks == pytest.approx(0, abs=0.1)


def test_equal_levels_give_the_mean_of_all_boxes() -> None:
    fine, _, further = draw(np.random.default_rng(3), 20, 60, 0.8)
    made = two_level_mean(fine, fine, further, STATISTICS)
    np.testing.assert_allclose(made.sample.mean, np.concatenate([fine.jacobian, further.jacobian]).mean(axis=0))
    # as noisy as 80 boxes: the scatter of 20 knows the variance to a third
    both = np.concatenate([fine.jacobian, further.jacobian]).reshape(80, -1)
    assert np.trace(noise(made.sample)) == pytest.approx(np.trace(np.cov(both, rowvar=False)) / 80, rel=0.5)


def test_control_keeps_the_noise_of_the_coarse_boxes() -> None:
    made = two_level_mean(*draw(np.random.default_rng(4), 20, 60, 0.8), STATISTICS)
    data = np.random.default_rng(6).normal(size=(60, BINS))
    controlled = with_control(made.sample, Control(data[:20], data[20:], [np.arange(BINS)]))
    shared = controlled.outside.reshape(len(controlled.outside), -1)
    own = made.sample.outside.reshape(len(made.sample.outside), -1)
    difference = shared.T @ shared - own.T @ own
    assert np.linalg.eigvalsh(difference / np.outer(*2 * [np.sqrt(np.diag(own.T @ own) + 1)])).min() > -1e-9


def test_levels_that_do_not_fit_are_refused() -> None:
    fine, coarse, further = draw(np.random.default_rng(0), 20, 30, 0.8)
    with pytest.raises(ValueError, match=r"20 boxes of derivatives and 19 at.*set resolution\.boxes to derivatives"):
        two_level_mean(fine, coarse.in_boxes(np.arange(19)), further, STATISTICS)
    with pytest.raises(ValueError, match="different parameters or data"):
        two_level_mean(fine, coarse, further.select(data=DATA[:3]), STATISTICS)
    seven = np.arange(7)
    with pytest.raises(ValueError, match=r"7 boxes at two levels and 30 .* needs 8 and 2 or more; raise derivatives"):
        two_level_mean(fine.in_boxes(seven), coarse.in_boxes(seven), further, STATISTICS)


def test_result_is_a_sample_and_a_table() -> None:
    made = two_level_mean(*draw(np.random.default_rng(0), 20, 30, 0.8), STATISTICS)
    assert isinstance(made, TwoLevelMean)
    assert made.sample.outside.shape[1:] == (PARAMETERS, BINS)
    assert made.table["used"].tolist() == [True, False]
