"""Power of matter compared with theory and references, and slices of density."""

import numpy as np
import pandas as pd

from lenscast import plotting


def test_matter_power_marks_the_mesh_limit(texts):
    k = np.array([0.1, 0.5, 1.0])
    columns = ["power", "error", "corrected", "corrected_error", "linear", "linear_camb", "halofit"]
    table = pd.DataFrame({"k": k} | {name: 100 / k for name in columns})
    figure = plotting.matter_power(table, nyquist=0.98, seeds=4)
    for axes in figure.axes:
        assert any(set(line.get_xdata()) == {0.98} for line in axes.lines)
    assert "Mpc" in texts(figure)


def test_matter_comparison_shows_every_variant_and_the_nyquist_wavenumber(texts):
    k = np.array([0.5, 1.0, 2.0, 4.0])
    table = pd.concat(
        pd.DataFrame({"variant": name, "a": a, "nyquist": 2.5, "k": k, "power_error": error, "correlation": 1 - k / 10})
        for name, error in (("pm", -0.4), ("hpn", -0.02), ("pgd", 0.03))
        for a in (0.5, 1.0)
    )
    figure = plotting.matter_comparison(table, "box")
    power, decorrelation = figure.axes[1], figure.axes[3]
    assert [line.get_label() for line in power.lines[:3]] == ["PM", "PM + HPN", "PM + PGD"]
    np.testing.assert_allclose(decorrelation.lines[0].get_ydata(), k[:3] / 10)
    for axes in figure.axes:
        assert any(set(line.get_xdata()) == {2.5} for line in axes.lines)
    assert "z = 1" in texts(figure)


def test_density_slices_share_the_colours_of_the_reference(rng):
    density = {name: rng.lognormal(size=(16, 16)) for name in ("pm", "hpn", "pgd", "reference")}
    figure = plotting.density_slices(density, 20.0, 2.5, 5.0, "box")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 8
    assert {(image.norm.vmin, image.norm.vmax) for image in images} == {
        (np.percentile(density["reference"], 5), density["reference"].max())
    }
    assert figure.axes[4].get_xlim() == (-2.5, 2.5)
