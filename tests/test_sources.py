"""Redshift distributions of source bins."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from lenscast.sections.survey import PlaneSources, SmailSources, TabulatedSources
from lenscast.sources import redshift_distributions, source_planes, tabulated, tomographic


# Means of the bins of the DESC SRD (arXiv:1809.01669) to four digits, from an independent calculation.
@pytest.mark.parametrize(
    ("z0", "alpha", "means"),
    [
        (0.13, 0.78, [0.2506, 0.4561, 0.6546, 0.9173, 1.5266]),
        (0.11, 0.68, [0.3093, 0.5890, 0.8671, 1.2410, 2.0528]),
    ],
    ids=["Year 1", "Year 10"],
)
def test_bins_have_the_mean_redshifts_of_the_srd(z0, alpha, means):
    sources = tomographic(z0, alpha, bins=5, sigma_z=0.05, z_max=3.5)
    np.testing.assert_allclose(sources.mean, means, rtol=0, atol=5e-5)
    np.testing.assert_allclose(sources.share.sum(axis=1), 1)
    np.testing.assert_array_less(0.05 * (1 + sources.mean), sources.width)  # at least the scatter of redshifts
    assert len(sources) == 5


def test_bins_without_scatter_are_slices_of_equal_numbers():
    sources = tomographic(0.13, 0.78, bins=4, sigma_z=0.0, z_max=2.0)
    number = lambda low, high: quad(lambda z: z**2 * np.exp(-((z / 0.13) ** 0.78)), low, high)[0]  # noqa: E731
    edges = [brentq(lambda z, q=q: number(0, z) - q * number(0, 2), 0, 2) for q in (0, 0.25, 0.5, 0.75, 1)]
    for each, low, high in zip(sources.share, edges[:-1], edges[1:], strict=True):
        outside = (sources.high < low - 1e-9) | (sources.low > high + 1e-9)
        # the cells that an edge cuts belong to two bins
        assert each[outside].sum() < 1e-3
        assert each[~outside].sum() > 0.98


def test_a_table_is_linear_between_its_rows():
    sources = tabulated(np.array([[0.2, 0.5, 0.6]]), np.array([[0.0, 4.0, 0.0], [1.0, 1.0, 1.0]]))
    # of a triangle the mean of its corners, of a uniform distribution the middle
    np.testing.assert_allclose(sources.mean, [1.3 / 3, 0.4])
    # the variance of a triangle with these corners, (sum of squares - sum of products) / 18, and of a uniform one
    corners = np.array([0.2, 0.5, 0.6])
    products = corners @ np.roll(corners, 1)
    np.testing.assert_allclose(sources.width, [((corners @ corners - products) / 18) ** 0.5, 0.4 / 12**0.5])
    # of the left part of the triangle, (z - 0.2)^2 / (0.3 x 0.4)
    np.testing.assert_allclose(sources.share[0][sources.high <= 0.5 + 1e-9].sum(), 0.75)


def test_sections_of_a_config_make_their_distributions(tmp_path):
    def same(found, expected):
        return all(np.array_equal(value, getattr(expected, name)) for name, value in vars(found).items())

    assert same(redshift_distributions(PlaneSources(kind="planes", z=(0.31, 0.7))), source_planes((0.31, 0.7)))
    smail = SmailSources(kind="smail", z0=0.13, alpha=0.78, bins=4, sigma_z=0.05, z_max=2.0)
    assert same(redshift_distributions(smail), tomographic(0.13, 0.78, 4, 0.05, 2.0))
    z, n = np.array([0.2, 0.5, 0.6]), np.array([[0.0, 4.0, 0.0], [1.0, 1.0, 1.0]])
    np.savetxt(tmp_path / "n.txt", np.column_stack([z, *n]))
    table = TabulatedSources(kind="table", file=str(tmp_path / "n.txt"))
    assert same(redshift_distributions(table), tabulated(z[None], n))
