import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.corrections.network import CORNER
from lenscast.corrections.particle_power import cross_power
from lenscast.corrections.reference import Refinement, finer, snapshots
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import FixedSteps, ParticleMesh, linear_field, lpt
from lenscast.io import load_correction

MESH = ParticleMesh(box_size=25.0, particles=16)
STEPS = FixedSteps(kind="bullfrog", steps=20)


@pytest.fixture(scope="module")
def reference():
    """A simulation that the weights have not seen: other cosmology, cells and seed."""
    planck = Parameters(Omega_c=0.2589, Omega_b=0.0486, h=0.6774, n_s=0.9667, sigma8=0.8159, w0=-1.0, wa=0.0)
    universe = jax.jit(cosmology)(planck)
    a = jnp.array([1 / 7, 0.7])
    start = lpt(linear_field(jax.random.key(5), universe.power, MESH), float(a[0]), universe, MESH)
    return finer(start, a, universe, MESH, Refinement(4, FixedSteps(kind="bullfrog", steps=60)))


@pytest.fixture(scope="module")
def errors(reference):
    """Of power, below half the Nyquist wavenumber, and of correlation, up to it; by weights, None for none."""

    @jax.jit
    def spectra(reference, correction):
        end = snapshots(reference, STEPS, correction)
        return cross_power(end[0], reference.position[0], MESH.box_size, 2 * MESH.particles)

    found = {}
    for name in (None, "hpn", "pgd"):
        result = spectra(reference, load_correction(name).correction if name else None)
        power = np.abs(result.power / result.reference - 1)[: MESH.particles // 4]
        found[name] = power.mean(), (1 - result.correlation)[: MESH.particles // 2].mean()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left"), [("hpn", 0.3), ("pgd", 0.8)])
def test_shipped_weights_bring_power_nearer_to_a_finer_simulation(errors, name, left):
    assert errors[name][0] < left * errors[None][0]


@pytest.mark.slow
def test_shipped_network_brings_densities_nearer_to_a_finer_simulation(errors):
    assert errors["hpn"][1] < errors[None][1]


def test_shipped_network_leaves_large_scales_to_the_mesh():
    hpn = load_correction("hpn").correction
    x = jnp.array([0.0, 0.05, 0.1], jnp.float32)
    for ln_sigma in np.linspace(*hpn.ln_sigma_range, 5):
        f = hpn.response(x, jnp.float32(1.0), jnp.float32(ln_sigma), jnp.float32(0.1))
        assert f[0] == 0
        # the window of the clouds, and a tenth of it
        np.testing.assert_allclose(f[1:], x[1:] ** 2 / 6, rtol=0.1)


def test_shipped_network_is_smooth_and_finite_to_the_corner_of_the_mesh():
    hpn = load_correction("hpn").correction
    x = jnp.linspace(0, CORNER, 200, dtype=jnp.float32)
    f = jax.vmap(lambda s: hpn.response(x, jnp.float32(1.0), s, jnp.float32(0.1)))(
        jnp.linspace(-3, 2, 30, dtype=jnp.float32)
    )
    assert float(f.min()) > -1  # the force keeps its sign
    assert float(jnp.abs(jnp.diff(f, axis=1)).max()) < 0.5
    assert float(jnp.abs(jnp.diff(f, axis=0)).max()) < 1.0
