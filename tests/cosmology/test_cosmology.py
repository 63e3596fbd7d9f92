import jax
import jax.numpy as jnp
import numpy as np

from lenscast.cosmology import basis, cosmology
from lenscast.cosmology.growth import COLUMN


def test_cosmology_tangents_are_finite_and_dark_energy_spares_the_power(w0wa):
    tangents = jax.jit(
        lambda p: jax.vmap(lambda unit: jax.jvp(cosmology, (p,), (unit,))[1])(basis(p, ["h", "w0", "wa"]))
    )(w0wa)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tangents))
    np.testing.assert_array_equal(tangents.power.ln_power.values[1:], 0.0)
    np.testing.assert_array_equal(tangents.growth.unknowns.values[0, COLUMN.D1], 0.0)


def test_cosmology_program_does_not_call_back_to_the_host(w0wa):
    # JAX does not keep programs with host callbacks in its compilation cache
    assert "callback" not in jax.jit(cosmology).lower(w0wa).as_text()
