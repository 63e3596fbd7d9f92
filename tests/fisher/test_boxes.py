"""Box means and jackknife errors."""

import numpy as np
import pytest

from lenscast.fisher.boxes import box_means, jackknife_error, leave_one_out_means


def test_box_means_average_maps_of_a_box_in_any_order() -> None:
    box = np.array([7, 3, 7, 3])
    values = np.array([[1.0, 2.0], [10.0, 20.0], [3.0, 4.0], [30.0, 40.0]], dtype=np.float32)
    result = box_means(values, box)
    np.testing.assert_array_equal(result.box, [3, 7])
    np.testing.assert_array_equal(result.mean, [[20.0, 30.0], [2.0, 3.0]])
    assert result.mean.dtype == np.float64


def test_box_means_refuse_a_box_that_lacks_a_map() -> None:
    with pytest.raises(ValueError, match="box 5 has 1 maps where others have 2"):
        box_means(np.zeros((5, 2)), np.array([4, 4, 5, 6, 6]))


def test_jackknife_error_of_a_mean_is_the_scatter_over_root_n() -> None:
    values = np.random.default_rng(0).normal(size=(11, 3, 4))
    expected = values.std(axis=0, ddof=1) / np.sqrt(11)
    np.testing.assert_allclose(jackknife_error(leave_one_out_means(values)), expected, rtol=1e-12)


def test_leave_one_out_means_refuse_one_box() -> None:
    with pytest.raises(ValueError, match="at least 2 boxes, got 1"):
        leave_one_out_means(np.zeros((1, 2)))
