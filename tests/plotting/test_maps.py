"""Maps with and without noise, and their tangents."""

import numpy as np

from lenscast import plotting

NAMES = ("Omega_c", "sigma8")


def test_maps_show_each_tangent_with_symmetric_colours(rng):
    kappa, tangents = rng.standard_normal((16, 16)), rng.standard_normal((2, 16, 16))
    figure = plotting.maps_and_tangents(kappa, kappa, tangents, NAMES, field_deg=5.0)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 4
    for image in images[2:]:
        assert image.norm.vmin == -image.norm.vmax
    assert images[0].get_extent() == [-2.5, 2.5, -2.5, 2.5]


def test_maps_leave_masked_pixels_blank_and_weigh_the_others_by_depth(rng):
    depth = np.ones((32, 32))
    depth[:, :16], depth[10:14, 10:14] = 0.5, 0
    noisy = np.where(depth > 0, rng.normal(1, 0.1, (32, 32)), 1e6)
    figure = plotting.maps_and_tangents(noisy, noisy, rng.normal(size=(2, 32, 32)), NAMES, 5.0, depth)
    smooth = np.asarray([axis.images[0] for axis in figure.axes if axis.images][1].get_array().filled(np.nan))
    np.testing.assert_array_equal(np.isnan(smooth), depth == 0)
    # values of masked pixels do not enter
    assert np.nanmax(np.abs(smooth - 1)) < 0.6
