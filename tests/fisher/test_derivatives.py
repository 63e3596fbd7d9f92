"""Jacobians of summaries, and samples of them over boxes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from lenscast.fisher.derivatives import DerivativeSample, summary_and_jacobian

PARAMETERS = ("Omega_c", "sigma8")
DATA = ("peaks_0", "peaks_1", "peaks_2")


def statistic(kappa: Float[Array, "source y x"]) -> Float[Array, " bin"]:
    """A smooth, non-linear summary with three elements."""
    return jnp.stack([jnp.mean(kappa**2), jnp.mean(jnp.tanh(kappa) ** 3), jnp.max(kappa)])


@pytest.fixture
def maps() -> tuple[Array, Array]:
    """A map of two sources, and its tangents with respect to two parameters."""
    keys = jax.random.split(jax.random.key(0))
    return jax.random.normal(keys[0], (2, 8, 8)), jax.random.normal(keys[1], (2, 2, 8, 8))


def test_jacobian_agrees_with_reverse_mode_and_with_finite_differences(maps: tuple[Array, Array]) -> None:
    kappa, tangents = maps
    summary, jacobian = summary_and_jacobian(statistic, kappa, tangents)
    np.testing.assert_allclose(summary, statistic(kappa), rtol=1e-14)
    pulled_back = jnp.tensordot(jax.jacrev(statistic)(kappa), tangents, axes=((1, 2, 3), (1, 2, 3))).T
    np.testing.assert_allclose(jacobian, pulled_back, rtol=1e-12)
    step = 1e-5  # truncation ~ step^2 and rounding ~ 1e-16 / step are both below 1e-9
    for tangent, row in zip(tangents, jacobian, strict=True):
        difference = (statistic(kappa + step * tangent) - statistic(kappa - step * tangent)) / (2 * step)
        np.testing.assert_allclose(row, difference, rtol=1e-6, atol=1e-9)


def test_jacobian_is_the_same_jitted_and_in_float32(maps: tuple[Array, Array]) -> None:
    kappa, tangents = (array.astype(jnp.float32) for array in maps)
    jitted = jax.jit(summary_and_jacobian, static_argnums=0)(statistic, kappa, tangents)
    plain = summary_and_jacobian(statistic, kappa, tangents)
    assert jitted.jacobian.dtype == jnp.float32
    # sums of 128 float32 numbers in another order
    np.testing.assert_allclose(jitted.jacobian, plain.jacobian, rtol=1e-4, atol=1e-6)


def test_jacobian_refuses_what_has_none(maps: tuple[Array, Array]) -> None:
    kappa, tangents = maps
    with pytest.raises(ValueError, match=r"int64\[1\], which has no Jacobian.*conditional expectation"):
        summary_and_jacobian(lambda kappa: jnp.sum(kappa > 0)[None], kappa, tangents)
    with pytest.raises(ValueError, match=r"float32.* do not fit kappa float64"):
        summary_and_jacobian(statistic, kappa, tangents.astype(jnp.float32))


def sample(seed: int = 0, boxes: int = 6, per_box: int = 4) -> DerivativeSample:
    """Jacobians of maps whose boxes differ more than the maps within."""
    rng = np.random.default_rng(seed)
    box = np.repeat(np.arange(boxes), per_box)
    shared = rng.normal(size=(boxes, len(PARAMETERS), len(DATA)))[box]
    jacobian = 5 + shared + 0.1 * rng.normal(size=shared.shape)
    return DerivativeSample.from_maps(jacobian, box, PARAMETERS, DATA)


def test_standard_error_counts_boxes_not_maps() -> None:
    # errors of 1/sqrt(boxes) up to 1/sqrt(2 x 200) of themselves, where maps would give half of it
    error = sample(boxes=200).standard_error
    np.testing.assert_allclose(error, 1 / np.sqrt(200), rtol=0.2)


def test_sample_selects_by_name_and_joins_data() -> None:
    full = sample()
    part = full.select(parameters=["sigma8"], data=["peaks_2", "peaks_0"])
    np.testing.assert_array_equal(part.jacobian, full.jacobian[:, [1], :][:, :, [2, 0]])
    joined = DerivativeSample.join([full.select(data=["peaks_1"]), full.select(data=["peaks_0", "peaks_2"])])
    assert joined.data == ("peaks_1", "peaks_0", "peaks_2")
    np.testing.assert_array_equal(joined.select(data=DATA).jacobian, full.jacobian)
    with pytest.raises(ValueError, match="unknown parameter 'w0'"):
        full.select(parameters=["w0"])


def test_sample_refuses_to_join_other_boxes() -> None:
    with pytest.raises(ValueError, match=r"in 6 boxes and of .* in 5 boxes.*same boxes"):
        DerivativeSample.join([sample(), sample(boxes=5)])


def test_sample_refuses_non_finite_derivatives_by_name() -> None:
    jacobian = np.ones((2, 2, 3))
    jacobian[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match="d peaks_2 / d Omega_c is nan in box 11"):
        DerivativeSample(PARAMETERS, DATA, np.array([10, 11]), jacobian)
