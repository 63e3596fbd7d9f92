"""Geometry without JAX: distances against quadrature and the differentiable ones, starlet levels and reach."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad

from lenscast.geometry import comoving_distance, starlet_level, starlet_levels, starlet_reach, starlet_scale


def _cosmology(w0: float, wa: float) -> SimpleNamespace:
    return SimpleNamespace(Omega_m=0.3075, w0=w0, wa=wa)


@pytest.mark.parametrize(("w0", "wa"), [(-1.0, 0.0), (-0.9, 0.2), (-0.6, -0.8)])
@pytest.mark.parametrize("z", [0.05, 0.914, 6.0, 99.0])
def test_comoving_distance_agrees_with_adaptive_quadrature(z: float, w0: float, wa: float) -> None:
    def inverse_expansion(redshift: float) -> float:
        a = 1.0 / (1.0 + redshift)
        dark_energy = 0.6925 * a ** (-3.0 * (1.0 + w0 + wa)) * math.exp(-3.0 * wa * (1.0 - a))
        return (0.3075 * a**-3 + dark_energy) ** -0.5

    expected = 2997.92458 * quad(inverse_expansion, 0.0, z, epsrel=1e-11)[0]
    # both quadratures converge exponentially; what is left is rounding
    assert comoving_distance(z, _cosmology(w0, wa)) == pytest.approx(expected, rel=1e-9)


def test_comoving_distance_is_that_of_the_physics(parameters, cosmos) -> None:
    import jax.numpy as jnp

    a = jnp.array([0.15, 0.3, 0.5, 0.8])
    checked = [comoving_distance(1.0 / float(each) - 1.0, parameters) for each in a]
    np.testing.assert_allclose(checked, cosmos.distances.comoving_distance(a), rtol=1e-9)


def test_starlet_level_is_the_name_of_its_scale_within_a_tenth() -> None:
    pixel = 60 * 5 / 256
    assert starlet_levels((9.4, 18.8), pixel) == (3, 4)
    for level in range(1, 6):
        assert starlet_level(1.09 * starlet_scale(level, pixel), pixel) == level
        assert starlet_level(0.91 * starlet_scale(level, pixel), pixel) == level
    for scale in (1.11 * starlet_scale(3, pixel), pixel):
        with pytest.raises(ValueError, match=r"arcmin is not 2\^j pixels of 1\.172 arcmin within 10 %"):
            starlet_level(scale, pixel)


def test_starlet_reach_is_that_of_its_kernel() -> None:
    from lenscast.statistics.starlet import starlet_kernel

    for level in (1, 2, 3, 4):
        assert starlet_kernel(level).shape == 2 * (2 * starlet_reach(level) + 1,)
