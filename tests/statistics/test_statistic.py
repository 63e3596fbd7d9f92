from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise, Statistic


class Variance(Statistic):
    """A statistic that knows no better estimate than one map of noise."""

    label: ClassVar[str] = "variance"
    axis: ClassVar[str] = "none"

    def bins(self, observation):
        return []

    def measured(self, kappa, noise, observation):
        return jnp.var((kappa + noise).astype(jnp.float64), axis=(-2, -1))

    def expected(self, kappa, noise, observation):
        return self.measured(kappa, noise, observation)


def observation(depth=None):
    return Observation(Region(32, 1.0, 0), ShapeNoise((0.1, 0.2), depth))


def test_a_statistic_is_estimated_with_a_map_of_noise(uneven_depth):
    blank = jnp.zeros((2, 32, 32), jnp.float32)
    for depth in (None, uneven_depth(32)):
        observed = observation(depth)
        estimates = jnp.stack([Variance().estimate(blank, jax.random.key(seed), observed) for seed in range(8)])
        assert estimates.dtype == jnp.float64
        assert len(np.unique(estimates)) == estimates.size
        # 8 maps of 1024 pixels give variances to 1.6 %; a mask and uneven depth to 2 %
        expected = np.mean(np.broadcast_to(observed.noise.rms_maps(), blank.shape) ** 2, axis=(-2, -1))
        np.testing.assert_allclose(estimates.mean(axis=0), expected, rtol=0.09)


def test_estimates_without_need_of_noise_draw_none():
    spectrum, kappa = (
        PowerSpectrum(ell_edges=(400.0, 2000.0, 4000.0)),
        jax.random.normal(jax.random.key(1), (2, 32, 32)),
    )
    estimates = [spectrum.estimate(kappa, jax.random.key(seed), observation()) for seed in (0, 1)]
    np.testing.assert_array_equal(*estimates)
    np.testing.assert_array_equal(estimates[0], spectrum.expected(kappa, jnp.zeros_like(kappa), observation()))
