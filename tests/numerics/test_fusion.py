"""Arrays that are computed once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lenscast.numerics.fusion import computed_once

ROWS = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5)))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_nothing_changes(rows):
    np.testing.assert_array_equal(jax.jit(computed_once)(ROWS[:rows]), ROWS[:rows])


def test_derivatives_pass_in_both_modes_and_in_batches():
    check_grads(jax.jit(lambda x: computed_once(x**2)), (ROWS,), order=2, modes=["fwd", "rev"])
    np.testing.assert_array_equal(jax.vmap(computed_once, 1, 1)(ROWS), ROWS)


@pytest.mark.parametrize(("once", "repeated"), [(lambda x: x, True), (computed_once, False)], ids=["plain", "once"])
def test_compiler_does_not_look_through_it(once, repeated):
    # without it, the kernel of the products computes the sines for each of them
    def products(x, y):
        return once(jnp.sin(x))[:, :, None] * y

    compiled = jax.jit(products).lower(ROWS, ROWS[0, None, None]).compile().as_text()
    kernels = [kernel for kernel in compiled.split("\n\n") if " multiply(" in kernel and "f64[3,5,5]" in kernel]
    assert len(kernels) == 1
    assert (" sine(" in kernels[0]) is repeated
