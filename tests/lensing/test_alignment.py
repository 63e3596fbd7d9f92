"""Kernels of intrinsic alignments; their spectra are compared with CCL's in tests/theory."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import basis, cosmology
from lenscast.lensing import AlignmentConstants, Systematics, alignment_kernel, plane_kernels
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.survey import SystematicsSection


class Constants(NamedTuple):
    C1_rho_crit: float
    z_pivot: float


CONSTANTS = Constants(C1_rho_crit=0.01388, z_pivot=0.62)
SHARES = jnp.linspace(0.0, 1.0, 22).reshape(11, 2)


def test_alignments_follow_their_formula(parameters, cosmos, lightcone):
    kernel = alignment_kernel(SHARES, jnp.array(0.7), jnp.array(1.3), cosmos, lightcone, CONSTANTS)
    a = np.asarray(cosmos.distances.scale_factor(jnp.asarray(lightcone.chi)))
    growth = np.asarray(cosmos.growth.D1(jnp.asarray(a)))
    factor = -0.7 * 0.01388 * float(parameters.Omega_m) / growth * (1 / a / 1.62) ** 1.3
    np.testing.assert_allclose(kernel, factor[:, None] * SHARES, rtol=1e-12)


def test_the_section_of_a_config_holds_the_constants(broad, cosmos, lightcone):
    section = SystematicsSection(A_IA=1.0, eta=0.0, baryons={"kind": "none"}, **CONSTANTS._asdict())
    assert isinstance(section, AlignmentConstants)
    compiled = jax.jit(plane_kernels, static_argnums=(0, 3, 4))
    systematics = Systematics.from_values(section.values, 2)
    found, expected = (compiled(broad, systematics, cosmos, lightcone, each) for each in (section, CONSTANTS))
    np.testing.assert_array_equal(found.alignment, expected.alignment)


def test_alignments_oppose_lensing_and_vanish_without_amplitude(broad, cosmos, lightcone):
    kernels = plane_kernels(broad, Systematics.from_values({"A_IA": 1.0}, 2), cosmos, lightcone, CONSTANTS)
    assert np.all(kernels.alignment <= 0)
    assert np.all(kernels.lensing >= 0)
    without = plane_kernels(broad, Systematics.from_values({}, 2), cosmos, lightcone, CONSTANTS)
    np.testing.assert_array_equal(without.alignment, 0)
    np.testing.assert_array_equal(without.lensing, kernels.lensing)


@pytest.mark.slow
def test_alignments_differentiate_in_both_modes(parameters, lightcone):
    def function(p, A_IA, eta):
        return alignment_kernel(SHARES, A_IA, eta, cosmology(p), lightcone, CONSTANTS)

    at = (parameters, jnp.array(0.7), jnp.array(1.3))
    units = jax.tree.map(lambda x: x.sum(axis=0), basis(parameters, COSMOLOGICAL))
    direction, step = (units, jnp.array(-0.5), jnp.array(2.0)), 1e-4
    tangent = jax.jit(lambda *x: jax.jvp(function, x, direction)[1])(*at)
    compiled = jax.jit(function)
    plus, minus = (compiled(*jax.tree.map(lambda x, d, s=sign: x + s * step * d, at, direction)) for sign in (1, -1))
    # second order of the step
    np.testing.assert_allclose(tangent, (plus - minus) / (2 * step), rtol=0, atol=1e-6 * np.abs(tangent).max())
    covector = jnp.cos(jnp.arange(22.0)).reshape(11, 2)
    gradient = jax.jit(lambda *x: jax.vjp(function, *x)[1](covector))(*at)
    backward = sum(jnp.vdot(g, d) for g, d in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True))
    np.testing.assert_allclose(backward, (covector * tangent).sum(), rtol=1e-9)
