r"""Hybrid physical-neural corrections of the particle-mesh force: learned isotropic filters of the potential.

phi_k -> phi_k [1 + f(a, |k|)], f(k = 0) = 0, inside the equations of motion. Convention: networks see the wavenumber in
units of the force mesh, x = |k| cell_size, from 0 to sqrt(3) pi in its corners. `training` fits them, `pgd` has the
other correction of small scales, a displacement after the steps.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from lenscast.cosmology import Cosmology
from lenscast.gravity.mesh import ParticleMesh
from lenscast.numerics.fourier import wavenumbers
from lenscast.numerics.interpolation import UniformHermiteTable

__all__ = ["CORNER", "HPN", "Filter", "ForceCorrection", "PublishedHPN", "nonlinearity"]

CORNER = float(np.sqrt(3) * np.pi)
"""Largest wavenumber of a mesh in units of the inverse cell."""

KNOTS = 256
LN_A = np.linspace(np.log(0.02), 0.0, 128)

Layers = tuple[tuple[Float32[Array, "..."], Float32[Array, "..."]], ...]


def nonlinearity(cosmology: Cosmology, mesh: ParticleMesh) -> UniformHermiteTable:
    """Logarithm of the rms linear density, smoothed over a cell by exp(-k^2 cell_size^2 / 2), by ln a; float32.

    Parameters
    ----------
    cosmology : growth and linear power.
    mesh : gives the cell.
    """
    a = jnp.exp(LN_A)
    values = jnp.log(cosmology.power.gaussian_rms(mesh.cell_size) * cosmology.growth.D1(a))
    slopes = cosmology.growth.f1(a)
    start, spacing = float(LN_A[0]), float(LN_A[1] - LN_A[0])
    return UniformHermiteTable(values.astype(jnp.float32), slopes.astype(jnp.float32), start, spacing)


class ForceCorrection(eqx.Module):
    """A filter of the potential; what a network has to say is its `response`."""

    @abstractmethod
    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f, 0 at x = 0.

        Parameters
        ----------
        x : wavenumber times the cell of the force mesh.
        a : scale factor.
        ln_sigma : `nonlinearity` at a.
        """

    def filter(self, cosmology: Cosmology, mesh: ParticleMesh) -> "Filter":
        """The correction in a simulation: of one cosmology, on one mesh."""
        return Filter(self, nonlinearity(cosmology, mesh), mesh)


class Filter(eqx.Module):
    """A correction in a simulation, in single precision; built by `ForceCorrection.filter`.

    Attributes
    ----------
    correction : the network.
    ln_sigma : from `nonlinearity`.
    mesh : box and force mesh.
    """

    correction: ForceCorrection
    ln_sigma: UniformHermiteTable
    mesh: ParticleMesh = eqx.field(static=True)

    def __call__(self, a: Float32[Array, ""]) -> Float32[Array, "x y half"]:
        """Factor 1 + f of each mode of the potential at the scale factor a, linear between knots of the wavenumber."""
        spacing = CORNER / (KNOTS - 1)
        knots = jnp.arange(KNOTS, dtype=jnp.float32) * spacing
        f = self.correction.response(knots, a, self.ln_sigma(jnp.log(a)))
        with jax.ensure_compile_time_eval():
            components = [np.asarray(k) for k in wavenumbers((self.mesh.mesh_size,) * 3, spacing)]
        steps = np.sqrt(sum(k**2 for k in components))  # |k| cell_size / spacing
        left = np.minimum(steps.astype(np.int32), KNOTS - 2)
        return 1 + f[left] + (steps - left).astype(np.float32) * (f[left + 1] - f[left])


class HPN(ForceCorrection):
    """A filter of the wavenumber in mesh units and of how nonlinear the density is on the scale of the mesh.

    f = x^2 / (6 + 3 x^2 / 8) + x^4 / (1 + x^4) N(x, ln sigma). The first term undoes the windows of the clouds in
    painting and reading, sinc^4(x / 2) = 1 - x^2 / 6 + ...: that much a mesh misses on scales far above its cell. The
    network N has two hidden layers with tanh and learns the rest. Its time is ln sigma, because gravity acting on a
    power-law spectrum is self-similar in it: a resolution, redshift or cosmology that was not trained on is one that
    was, at another a. Beyond the range that was trained, ln sigma stays at its end.

    Attributes
    ----------
    layers : weights and biases of N.
    ln_sigma_range : what training covered.

    References: Lanzieri et al. (2022), arXiv:2207.05509, whose network sees a and k / k_Nyquist (`PublishedHPN`).
    """

    layers: Layers
    ln_sigma_range: tuple[float, float] = eqx.field(static=True)

    @classmethod
    def initial(cls, key: Key[Array, ""], ln_sigma_range: tuple[float, float], width: int = 16) -> "HPN":
        """An untrained network, N = 0: it undoes the windows and nothing else.

        Parameters
        ----------
        key : of the random weights.
        ln_sigma_range : what training will cover.
        width : units in each of two hidden layers.
        """
        *hidden, (weights, biases) = _random_layers(key, (2, width, width, 1))
        return cls((*hidden, (jnp.zeros_like(weights), biases)), ln_sigma_range)

    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f; see `ForceCorrection.response`."""
        low, high = self.ln_sigma_range
        time = 2 * (jnp.clip(ln_sigma, low, high) - low) / (high - low) - 1
        units = jnp.stack([2 * x / CORNER - 1, jnp.broadcast_to(time, x.shape)])
        for weights, biases in self.layers[:-1]:
            units = jnp.tanh(weights @ units + biases[:, None])
        weights, biases = self.layers[-1]
        learned = (weights @ units + biases[:, None])[0]
        return x**2 / (6 + 3 * x**2 / 8) + x**4 / (1 + x**4) * learned


class PublishedHPN(ForceCorrection):
    """The filter as published: a B-spline of k / (sqrt(3) k_Nyquist) whose coefficients and knots depend on a.

    Two hidden layers of 32 with sine activation, two heads: 17 coefficients, to which a first one of 0 is added, and 15
    increments of the knots of a cubic spline; 2176 parameters.

    Attributes
    ----------
    hidden : the two layers.
    coefficients, increments : the heads.

    References: Lanzieri et al. (2022), arXiv:2207.05509, Sect. 2.
    """

    hidden: Layers
    coefficients: Layers
    increments: Layers

    @classmethod
    def initial(cls, key: Key[Array, ""]) -> "PublishedHPN":
        """An untrained network with f = 0.

        Parameters
        ----------
        key : of the random weights.
        """
        keys = jax.random.split(key, 3)
        ((weights, biases),) = _random_layers(keys[1], (32, 17))
        return cls(
            _random_layers(keys[0], (1, 32, 32)),
            ((jnp.zeros_like(weights), biases),),
            _random_layers(keys[2], (32, 15)),
        )

    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f; see `ForceCorrection.response`."""
        units = a[None]
        for weights, biases in self.hidden:
            units = jnp.sin(weights @ units + biases)
        ((weights, biases),), ((knot_weights, knot_biases),) = self.coefficients, self.increments
        control = jnp.concatenate([jnp.zeros(1, jnp.float32), weights @ units + biases])
        inner = jnp.cumsum(jax.nn.softmax(knot_weights @ units + knot_biases))
        knots = jnp.concatenate([jnp.zeros(4, jnp.float32), inner, jnp.ones(3, jnp.float32)])
        return _b_spline(jnp.clip(x / CORNER, 0, 1 - 1e-4), knots, control)


def _random_layers(key: Key[Array, ""], sizes: tuple[int, ...]) -> Layers:
    """Normal weights of variance 1 / inputs, zero biases."""
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(
        (jax.random.normal(k, (out, into), jnp.float32) * np.float32(into**-0.5), jnp.zeros(out, jnp.float32))
        for k, into, out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    )


def _b_spline(
    x: Float32[Array, " knot"], knots: Float32[Array, "..."], control: Float32[Array, "..."]
) -> Float32[Array, " knot"]:
    """Cubic B-spline by the recursion of Cox and de Boor."""
    x, knots = x[:, None], knots[None]
    basis = ((knots[:, :-1] <= x) & (x < knots[:, 1:])).astype(x.dtype)
    for degree in (1, 2, 3):
        width = knots[:, degree:] - knots[:, :-degree]
        inverse = jnp.where(width > 0, 1 / jnp.where(width > 0, width, 1), 0)
        rising = (x - knots[:, :-degree]) * inverse
        basis = rising[:, :-1] * basis[:, :-1] + (1 - rising[:, 1:]) * basis[:, 1:] * (inverse[:, 1:] > 0)
    return basis @ control
