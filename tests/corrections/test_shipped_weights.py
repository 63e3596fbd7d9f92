from dataclasses import replace
from functools import partial

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
    """Of power and of correlation, up to the Nyquist wavenumber of the particles; by weights and mesh_factor."""

    @partial(jax.jit, static_argnames="mesh_factor")
    def spectra(reference, correction, mesh_factor):
        mesh = MESH.model_copy(update={"mesh_factor": mesh_factor})
        end = snapshots(replace(reference, mesh=mesh), STEPS, correction)
        return cross_power(end[0], reference.position[0], MESH.box_size, 2 * MESH.particles)

    found = {}
    for name, mesh_factor in [(None, 1), ("hpn", 1), ("pgd", 1), (None, 2), ("hpn_fine", 2)]:
        result = spectra(reference, load_correction(name).correction if name else None, mesh_factor)
        power = np.abs(result.power / result.reference - 1)[: MESH.particles // 2]
        found[name, mesh_factor] = power.mean(), (1 - result.correlation)[: MESH.particles // 2].mean()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mesh_factor", "left"), [("hpn", 1, 0.3), ("pgd", 1, 0.8), ("hpn_fine", 2, 0.7)])
def test_shipped_weights_bring_power_nearer_to_a_finer_simulation(errors, name, mesh_factor, left):
    assert errors[name, mesh_factor][0] < left * errors[None, mesh_factor][0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mesh_factor"), [("hpn", 1), ("hpn_fine", 2)])
def test_shipped_networks_bring_densities_nearer_to_a_finer_simulation(errors, name, mesh_factor):
    assert errors[name, mesh_factor][1] < errors[None, mesh_factor][1]


@pytest.mark.slow
def test_two_mesh_points_per_spacing_bring_phases_much_nearer(errors):
    assert errors["hpn_fine", 2][1] < 0.3 * errors["hpn", 1][1]


@pytest.mark.parametrize("name", ["hpn", "hpn_fine"])
def test_shipped_networks_leave_large_scales_to_the_mesh(name):
    hpn = load_correction(name).correction
    x = jnp.array([0.0, 0.05, 0.1], jnp.float32)
    for ln_sigma in np.linspace(*hpn.ln_sigma_range, 5):
        f = hpn.response(x, jnp.float32(1.0), jnp.float32(ln_sigma), jnp.float32(0.1))
        assert f[0] == 0
        # the window of the clouds, and a tenth of it
        np.testing.assert_allclose(f[1:], x[1:] ** 2 / 6, rtol=0.1)


@pytest.mark.parametrize("name", ["hpn", "hpn_fine"])
def test_shipped_networks_are_smooth_and_finite_to_the_corner_of_the_mesh(name):
    hpn = load_correction(name).correction
    x = jnp.linspace(0, CORNER, 200, dtype=jnp.float32)
    f = jax.vmap(lambda s: hpn.response(x, jnp.float32(1.0), s, jnp.float32(0.1)))(
        jnp.linspace(-3, 2, 30, dtype=jnp.float32)
    )
    assert float(f.min()) > -1  # the force keeps its sign
    assert float(jnp.abs(jnp.diff(f, axis=1)).max()) < 0.5
    assert float(jnp.abs(jnp.diff(f, axis=0)).max()) < 1.0
