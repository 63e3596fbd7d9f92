import numpy as np
import pytest

from lenscast.numerics.quadrature import gauss_legendre


def test_gauss_legendre_integrates_polynomials_panel_by_panel():
    edges = np.array([-1.0, 0.5, 3.0])
    rule = gauss_legendre(edges, order=4)
    # degree 7 is the last that four nodes integrate exactly
    for degree in range(8):
        panels = (rule.weights * rule.nodes**degree).sum(axis=1)
        np.testing.assert_allclose(panels, np.diff(edges ** (degree + 1)) / (degree + 1), rtol=1e-13)


@pytest.mark.parametrize("edges", [[0.0], [0.0, 0.0], [1.0, 0.0]])
def test_gauss_legendre_refuses_edges_that_make_no_panel(edges):
    with pytest.raises(ValueError, match="give two or more increasing panel edges"):
        gauss_legendre(np.array(edges), order=2)


def test_gauss_legendre_refuses_rule_without_nodes():
    with pytest.raises(ValueError, match=r"order = 0: give at least 1 node"):
        gauss_legendre(np.array([0.0, 1.0]), order=0)
