"""Ray-traced maps compared with the Born approximation."""

import numpy as np
import pandas as pd

from lenscast import plotting


def projection_table():
    parts = {"shear": (np.nan, 3), "maxima": (9.4, 3), "density": (2.0, 4), "variance": (2.0, 1)}
    rows = [
        {"statistic": name, "scale_arcmin": scale, "z_source": z, "centre": centre, "born": born}
        for born, z in ((4.0, 0.5), (16.0, 1.3))
        for name, (scale, number) in (parts | {"skewness": (2.0, 1)}).items()
        for centre in np.arange(1.0, number + 1)
    ]
    table = pd.DataFrame(rows)
    table = table.assign(low=table["centre"] - 0.5, high=table["centre"] + 0.5)
    change = np.where(table["statistic"] == "skewness", -0.02, 0.001) * table["z_source"]
    table["ray_tracing"] = table["born"] * (1 + change)
    return table.assign(ray_tracing_ratio=1 + change, ray_tracing_ratio_error=0.002)


def test_projection_shows_a_square_around_the_highest_peak_and_its_change(statistics, rng):
    born = rng.normal(size=(40, 40))
    born[12, 25], born[1, 1] = 9.0, 20.0
    traced = born + 0.01 * rng.normal(size=(40, 40))
    figure = plotting.validation_projection(projection_table(), plotting.ProjectedMaps(born, traced, 10.0), statistics)
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    # 2 deg are 12 of 40 pixels; the higher peak is too near to the edges
    square = slice(6, 18), slice(19, 31)
    for image, expected in zip(images, (born, traced, traced - born), strict=False):
        np.testing.assert_array_equal(image, expected[square])
    assert figure.axes[2].images[0].get_extent() == [-60, 60, -60, 60]


def test_projection_shows_changes_in_per_cent_of_every_statistic(statistics, rng):
    kappa = rng.normal(size=(40, 40))
    figure = plotting.validation_projection(
        projection_table(), plotting.ProjectedMaps(kappa, kappa + 1, 10.0), statistics
    )
    panels = {axes.get_ylabel().split("\n")[0]: axes for axes in figure.axes}
    for name in ("change of $C_\\ell$ [%]", "change of the number of peaks,", "change of the density [%]"):
        near, far = (container.lines[0].get_ydata() for container in panels[name].containers)
        np.testing.assert_allclose(near, 0.05)
        np.testing.assert_allclose(far, 0.13)
    assert panels["change of the number of peaks,"].get_xlabel() == statistics["maxima"].axis
    of_variance, of_skewness = panels["change of moments [%]"].containers
    np.testing.assert_allclose(of_variance.lines[0].get_ydata(), [0.05, 0.13])
    np.testing.assert_allclose(of_skewness.lines[0].get_ydata(), [-1.0, -2.6])
    # in units of the rms of the Born maps, 2 and 4
    np.testing.assert_allclose(panels["density of $\\kappa/\\sigma$"].lines[0].get_ydata(), 4.0 * 2)
    assert "skewness 16.000 $\\to$ 15.584" in [
        text.get_text() for text in panels["density of $\\kappa/\\sigma$"].get_legend().get_texts()
    ]
