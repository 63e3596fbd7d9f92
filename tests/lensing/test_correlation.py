"""Correlation functions of maps, averaged over all views of a box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.lensing import (
    Kernels,
    convergence,
    convergence_correlation,
    draw_view,
    plane_correlation,
    sky,
)
from lenscast.sections.lightcone import Lightcone
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise, StarletPowerSpectrum

LIGHTCONE = Lightcone(
    box_size=60.0, slabs_per_box=2, planes=3, plane_mesh=48, field_deg=20.0, pixels=32, realisations_per_box=1
)
KERNELS = Kernels(
    lensing=jnp.array([[0.5, 0.3], [0.2, 0.6], [0.0, 0.4]]),
    alignment=jnp.array([[0.0, 0.1], [-0.1, 0.0], [0.0, -0.2]]),
    strength=jnp.ones(3),
)


def random_planes(seed, shape=(3, 3, 2, 48, 48)):
    """Planes with anisotropic structure on all scales of the mesh, of mean 0 over the slabs of each axis."""
    white = np.random.default_rng(seed).normal(size=shape)
    k = np.hypot(2 * np.fft.fftfreq(48)[:, None], np.fft.rfftfreq(48))
    field = np.fft.irfft2(np.fft.rfft2(white) / (0.05 + k), s=(48, 48)) + np.linspace(-1, 1, 3)[:, None, None, None]
    field -= field.mean(axis=(2, 3, 4), keepdims=True)
    return jnp.asarray(field, jnp.float32)


@pytest.fixture(scope="module")
def maps():
    """Convergence of two sources in 600 views of a box."""
    planes = random_planes(0)

    @jax.jit
    def seen(key):
        view = draw_view(key, LIGHTCONE)
        return convergence(sky.look(planes, view, KERNELS.strength, LIGHTCONE), KERNELS)

    return np.stack([seen(key) for key in jax.random.split(jax.random.key(1), 600)])


@pytest.fixture(scope="module")
def correlation():
    return convergence_correlation(jax.jit(plane_correlation, static_argnums=1)(random_planes(0), LIGHTCONE), KERNELS)


def test_a_lag_is_the_mean_product_over_all_shifts():
    """One plane, one axis: the interpolated field on a fine grid, multiplied by itself a lag away."""
    size, pixel = 24, 11 / 16
    lightcone = LIGHTCONE.model_copy(update={"planes": 1, "slabs_per_box": 1, "plane_mesh": size, "pixels": 16})
    angle = pixel * lightcone.box_size / size / lightcone.chi[0]
    lightcone = lightcone.model_copy(update={"field_deg": float(np.rad2deg(angle * lightcone.pixels))})
    plane = np.random.default_rng(2).normal(size=(size, size))
    found = plane_correlation(jnp.asarray(np.broadcast_to(plane, (1, 3, 1, size, size)), jnp.float32), lightcone)[0]

    def mean_product(fine, y, x):
        """Mean over shifts on a grid of `fine` points per cell."""
        at = (np.arange(size * fine) + 0.5) / fine
        along = np.zeros((size * fine, size))
        left, share = np.floor(at).astype(int), at % 1
        along[np.arange(len(at)), left], along[np.arange(len(at)), (left + 1) % size] = 1 - share, share
        dense, lag = along @ plane @ along.T, round(pixel * fine)
        of_view = [dense, dense[::-1], dense[:, ::-1], dense[::-1, ::-1]]
        of_view += [each.T for each in of_view]
        return np.mean([np.mean(each * np.roll(each, (-lag * y, -lag * x), (0, 1))) for each in of_view])

    for y, x in ((0, 0), (0, 1), (3, 2), (15, 7)):
        # products are quadratic between points of the grids, so that Richardson's extrapolation is exact
        expected = (4 * mean_product(32, y, x) - mean_product(16, y, x)) / 3
        np.testing.assert_allclose(found[y, x], expected, rtol=0, atol=3e-5 * np.mean(plane**2))


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ["plain", "starlet"])
def test_spectra_of_all_views_are_the_mean_over_views(maps, correlation, masked, kind):
    depth = None
    if masked:
        depth = np.random.default_rng(3).uniform(0.3, 1.5, (32, 32))
        depth[5:14, 20:26] = 0
    region = Region(32, 20.0, border=0 if masked else 2)
    observation = Observation(region, ShapeNoise((0.1, 0.2), depth))
    edges = (20.0, 60.0, 120.0, 200.0, 280.0)
    spectrum = (
        PowerSpectrum(name="c", ell_edges=edges)
        if kind == "plain"
        else StarletPowerSpectrum(name="c", ell_edges=edges, scales_arcmin=(75.0, 150.0))
    )
    of_maps = jax.jit(jax.vmap(lambda kappa: spectrum.expected(kappa, jnp.zeros_like(kappa), observation)))
    single = np.asarray(of_maps(jnp.asarray(maps)))
    blank = np.zeros((2, 32, 32))
    noise = np.asarray(spectrum.expected(blank, blank, observation))
    exact = np.asarray(spectrum.from_correlation(correlation, observation))
    np.testing.assert_allclose(spectrum.from_correlation(0 * correlation, observation), noise, rtol=1e-12)
    z = (single.mean(axis=0) - exact) / (single.std(axis=0, ddof=1) / np.sqrt(len(single)))
    # 24 or 12 numbers of a normal distribution: 4.5 is exceeded once in 6000 runs
    assert np.abs(z).max() < 4.5
    # the means of 600 maps are good to some per cent, so that the test sees an error of a tenth
    assert np.median(single.std(axis=0) / np.sqrt(len(single)) / np.abs(exact - noise)) < 0.1


def test_correlation_has_derivatives_in_both_modes():
    planes, direction = random_planes(0), random_planes(5)
    value, slope = jax.jvp(lambda x: plane_correlation(x, LIGHTCONE), (planes,), (direction,))
    ahead, behind = (plane_correlation(planes + sign * 0.5 * direction, LIGHTCONE) for sign in (1, -1))
    # quadratic in the planes: central differences are exact but for rounding
    np.testing.assert_allclose(slope, ahead - behind, rtol=0, atol=1e-5 * np.abs(value).max())
    weights = jax.random.normal(jax.random.key(0), value.shape)
    (gradient,) = jax.vjp(lambda x: plane_correlation(x, LIGHTCONE), planes)[1](weights)
    np.testing.assert_allclose(jnp.vdot(gradient.astype(float), direction), jnp.vdot(weights, slope), rtol=1e-4)


def test_kernels_weigh_the_planes(correlation):
    planes = plane_correlation(random_planes(0), LIGHTCONE)
    total = np.asarray(KERNELS.lensing + KERNELS.alignment)
    np.testing.assert_allclose(correlation[1], np.einsum("p,pyx->yx", total[:, 0] * total[:, 1], planes), rtol=1e-6)
    slope = jax.jvp(lambda k: convergence_correlation(planes, k), (KERNELS,), (KERNELS,))[1]
    np.testing.assert_allclose(slope, 2 * correlation, rtol=1e-6, atol=1e-9)
