import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise

REGION = Region(pixels=8, field_deg=2.0, border=2)
DEPTH = np.ones((8, 8))
DEPTH[:, :4] = 4
DEPTH[3, 2:4] = 0


def test_noise_falls_as_the_root_of_the_depth_and_is_none_where_masked():
    rms = np.asarray(ShapeNoise((0.2, 0.6), DEPTH).rms_maps())
    assert rms.dtype == np.float32
    np.testing.assert_allclose(rms[1], 3 * rms[0], rtol=1e-6)
    np.testing.assert_allclose(rms[0, 0], [0.1] * 4 + [0.2] * 4, rtol=1e-6)
    np.testing.assert_array_equal(rms[0] == 0, DEPTH == 0)
    np.testing.assert_allclose(ShapeNoise((0.2, 0.6)).rms_maps().ravel(), [0.2, 0.6], rtol=1e-6)


def test_snr_is_in_units_of_nominal_noise_and_0_where_masked():
    maps = jnp.full((2, 8, 8), 0.3)
    for depth in (None, DEPTH):
        snr = np.asarray(ShapeNoise((0.1, 0.3), depth).snr(maps))
        seen = np.ones((8, 8), bool) if depth is None else depth > 0
        for source, value in ((0, 3.0), (1, 1.0)):
            np.testing.assert_allclose(snr[source], np.where(seen, value, 0), rtol=1e-12)


def test_weights_and_area_are_those_of_the_region():
    noise = ShapeNoise((0.1,), DEPTH)
    np.testing.assert_array_equal(noise.weights(REGION), DEPTH[2:6, 2:6])
    np.testing.assert_array_equal(noise.weights(REGION, margin=1), DEPTH[1:7, 1:7])
    np.testing.assert_array_equal(ShapeNoise((0.1,)).weights(REGION), np.ones((4, 4)))
    # 1 deg^2, of which 2 of 16 pixels are masked
    assert noise.area_deg2(REGION) == pytest.approx(14 / 16)
    assert ShapeNoise((0.1,)).area_deg2(REGION) == pytest.approx(REGION.area_deg2)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"rms": (0.1, 0.0)}, r"rms = \(0.1, 0.0\): heights of peaks are in units of it, give one above 0 for each"),
        ({"depth": -DEPTH}, "depth has values below 0 or not finite: give 0 for masked pixels, 1 for nominal depth"),
        ({"depth": np.where(DEPTH == 4, np.inf, 1)}, "depth has values below 0 or not finite"),
        (
            {"depth": DEPTH + 1e-3},
            "depth is between 0.001 and 4 where it is not 0: give 0 for pixels below 0.001 of the largest",
        ),
        ({"max_masked": 0.6}, "max_masked = 0.6: give a share between 0 and 0.5"),
    ],
)
def test_shape_noise_refuses_what_has_no_meaning(settings, match):
    with pytest.raises(ValueError, match=match):
        ShapeNoise(**({"rms": (0.1,)} | settings))


def test_weights_refuse_other_pixels_and_a_mask_of_everything():
    with pytest.raises(ValueError, match="depth has 8 x 8 pixels, maps have 16 x 16: give one value per pixel"):
        ShapeNoise((0.1,), DEPTH).weights(Region(16, 2.0, 2))
    frame = np.pad(np.zeros((4, 4)), 2, constant_values=1.0)
    with pytest.raises(ValueError, match="all 4 x 4 pixels inside the border are masked: unmask some"):
        ShapeNoise((0.1,), frame).weights(REGION)
