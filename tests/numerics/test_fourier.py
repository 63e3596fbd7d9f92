import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.numerics.fourier import wavenumbers

SPACING = 0.7


def plane_wave(shape, mode):
    grid = np.meshgrid(*(np.arange(size) * SPACING for size in shape), indexing="ij")
    k = [2 * np.pi * m / (size * SPACING) for m, size in zip(mode, shape, strict=True)]
    return k, sum(component * x for component, x in zip(k, grid, strict=True))


@pytest.mark.parametrize(("shape", "mode"), [((8,), (3,)), ((6, 5), (-2, 1)), ((4, 5, 6), (1, -2, 2))])
def test_wavenumbers_differentiate_plane_waves(shape, mode):
    k, phase = plane_wave(shape, mode)
    spectrum = jnp.fft.rfftn(jnp.asarray(np.sin(phase)))
    for axis, component in enumerate(wavenumbers(shape, SPACING, jnp.float64)):
        derivative = jnp.fft.irfftn(1j * component * spectrum, s=shape)
        np.testing.assert_allclose(derivative, k[axis] * np.cos(phase), atol=1e-12)


def test_wavenumbers_have_length_one_on_other_axes():
    components = wavenumbers((4, 5, 6), SPACING)
    assert [component.shape for component in components] == [(4, 1, 1), (1, 5, 1), (1, 1, 4)]
    assert {component.dtype for component in components} == {jnp.dtype("float32")}


def test_wavenumbers_refuse_empty_mesh():
    with pytest.raises(ValueError, match=r"shape = \(4, 0\): give at least one axis"):
        wavenumbers((4, 0), SPACING)


def test_wavenumbers_refuse_spacing_that_is_not_positive():
    with pytest.raises(ValueError, match=r"spacing = 0.0: give a positive distance"):
        wavenumbers((4, 4), 0.0)
