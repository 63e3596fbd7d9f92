"""Covariance over maps and the number of maps it is worth."""

import numpy as np
import pytest

from lenscast.fisher.covariance import Covariance, sample_covariance


def correlated_maps(
    correlation: float, boxes: int = 400, per_box: int = 8, bins: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Unit-variance summaries with a correlation between the maps of a box, and the box of each map."""
    rng = np.random.default_rng(5)
    box = np.repeat(np.arange(boxes), per_box)
    shared = rng.normal(size=(boxes, bins))[box]
    own = rng.normal(size=shared.shape)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own, box


def names(bins: int) -> tuple[str, ...]:
    """Names of the elements of a data vector."""
    return tuple(f"bin_{i}" for i in range(bins))


def test_covariance_equals_numpy_in_float64() -> None:
    summary, box = correlated_maps(0.2, boxes=20)
    result = sample_covariance(summary.astype(np.float32), box, names(5))
    reference = np.cov(summary.astype(np.float32).astype(np.float64), rowvar=False)
    np.testing.assert_allclose(result.matrix, reference, rtol=1e-12)
    assert result.matrix.dtype == np.float64
    np.testing.assert_allclose(np.diag(result.correlation), 1.0, rtol=1e-14)
    np.testing.assert_allclose(result.standard_deviation**2, np.diag(result.matrix), rtol=1e-14)


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5])
def test_design_effect_measures_the_correlation_within_boxes(correlation: float) -> None:
    summary, box = correlated_maps(correlation)
    result = sample_covariance(summary, box, names(5))
    expected = 1 + 7 * correlation
    # variance of 400 box means: 7 % per bin, 3 % over 5 bins
    assert result.design_effect == pytest.approx(expected, rel=0.1)
    assert result.n_effective == pytest.approx(3200 / expected, rel=0.1)


def test_copies_of_a_map_count_once_and_single_maps_count_fully() -> None:
    summary, _ = correlated_maps(0.0, boxes=12, per_box=1, bins=3)
    single = sample_covariance(summary, np.arange(12), names(3))
    assert single.n_effective == pytest.approx(12, rel=1e-12)
    copies = sample_covariance(np.repeat(summary, 4, axis=0), np.repeat(np.arange(12), 4), names(3))
    assert copies.design_effect == pytest.approx(4, rel=1e-12)
    assert copies.n_effective == pytest.approx(12, rel=1e-12)


def test_selection_is_by_name() -> None:
    summary, box = correlated_maps(0.3, boxes=20)
    full = sample_covariance(summary, box, names(5))
    part = full.select(["bin_3", "bin_1"])
    reference = sample_covariance(summary[:, [3, 1]], box, ("bin_3", "bin_1"))
    np.testing.assert_allclose(part.matrix, reference.matrix, rtol=1e-14)
    assert part.n_effective == pytest.approx(reference.n_effective, rel=1e-12)
    with pytest.raises(ValueError, match="unknown data element 'bin_9'"):
        full.select(["bin_9"])


def test_too_few_effective_maps_are_refused_with_the_number_needed() -> None:
    summary, _ = correlated_maps(0.0, boxes=12, per_box=1, bins=10)
    copies, box = np.repeat(summary, 4, axis=0), np.repeat(np.arange(12), 4)
    message = (
        r"48 maps of 12 boxes are worth 12\.0 independent maps \(design effect 4\.00\), but 10 data elements "
        r"need at least 13 \(d \+ 3\): raise covariance\.boxes from 12 to 1[34] or more"
    )
    with pytest.raises(ValueError, match=message):
        sample_covariance(copies, box, names(10))
    result = sample_covariance(copies[:, :9], box, names(9))
    assert isinstance(result, Covariance)


def test_values_that_spoil_a_covariance_are_refused_by_name() -> None:
    summary, box = correlated_maps(0.0, boxes=10, per_box=2, bins=3)
    broken = summary.copy()
    broken[7, 1] = np.inf
    with pytest.raises(ValueError, match=r"'bin_1' is inf in map 7 \(box 3\)"):
        sample_covariance(broken, box, names(3))
    constant = summary.copy()
    constant[:, 2] = 0.0
    with pytest.raises(ValueError, match=r"same value in all 20 maps for bin_2.*merge these bins"):
        sample_covariance(constant, box, names(3))
    with pytest.raises(ValueError, match=r"of 1 box do not sample a covariance: raise covariance\.boxes"):
        sample_covariance(summary, np.zeros(20, dtype=int), names(3))
    with pytest.raises(ValueError, match=r"\(20, 3\), but \(20, 2\) \[map bin\] are named"):
        sample_covariance(summary, box, names(2))
