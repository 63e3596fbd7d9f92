r"""Hybrid physical-neural corrections of the particle-mesh force: learned isotropic filters of the potential.

phi_k -> phi_k [1 + f(a, |k|)], f(k = 0) = 0, inside the equations of motion. Convention: networks take the wavenumber
in units of the force mesh, x = |k| cell_size, from 0 to sqrt(3) pi in its corners. `training` fits networks. The other
correction of small scales, a displacement of the outputs, is in `pgd`.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from lenscast.cosmology import Cosmology
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.gravity.nbody import Method
from lenscast.numerics.interpolation import UniformHermiteTable
from lenscast.sections.box import FixedSteps, Integrator, ParticleMesh

CORNER = float(np.sqrt(3) * np.pi)
"""Largest wavenumber of a mesh in units of the inverse cell."""

LONG_STEP = 0.1  # of D1, relative: ten steps to today

KNOTS = 256  # of the filter, evenly spaced in the wavenumber
LN_A = np.linspace(np.log(0.02), 0.0, 128)

Layers = tuple[tuple[Float32[Array, "..."], Float32[Array, "..."]], ...]
"""Weights and biases of each layer of a network."""


def nonlinearity(cosmology: Cosmology, mesh: ParticleMesh) -> UniformHermiteTable:
    """Logarithm of the rms linear density smoothed over a cell, as a table of ln a in single precision.

    The window of the smoothing is exp(-k^2 cell_size^2 / 2).

    Parameters
    ----------
    cosmology
        Growth and linear power.
    mesh
        Gives the cell.
    """
    a = jnp.exp(LN_A)
    # ln sigma(a) = ln sigma(1) + ln D1(a), and its slope in ln a is the growth rate f1
    values = jnp.log(cosmology.power.gaussian_rms(mesh.cell_size) * cosmology.growth.D1(a))
    slopes = cosmology.growth.f1(a)
    start, spacing = float(LN_A[0]), float(LN_A[1] - LN_A[0])
    return UniformHermiteTable(values.astype(jnp.float32), slopes.astype(jnp.float32), start, spacing)


def realised(
    ln_sigma: UniformHermiteTable, field: Float32[Array, "x y z"], mesh: ParticleMesh, domain: Domain = SINGLE
) -> UniformHermiteTable:
    """`nonlinearity` of one box: its modes are few, and their rms is not that of the cosmology.

    Parameters
    ----------
    ln_sigma
        Result of `nonlinearity`.
    field
        Linear overdensity of the box today, on a mesh of any size.
    mesh
        Gives box and cell.
    domain
        Where the box is.
    """
    points = field.shape[0]
    squared = sum(k**2 for k in domain.wavenumbers(points, mesh.box_size / points))
    smooth = domain.field(domain.modes(field) * jnp.exp(squared * (-0.5 * mesh.cell_size**2)))
    ln_rms = 0.5 * jnp.log(jnp.mean(smooth**2))
    values = ln_sigma.values + (ln_rms - ln_sigma.values[-1])  # the last knot is today
    return UniformHermiteTable(values, ln_sigma.slopes, ln_sigma.start, ln_sigma.spacing)


class ForceCorrection(eqx.Module):
    """A filter of the potential; a network defines its `response`."""

    @abstractmethod
    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""], step: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f, 0 at x = 0.

        Parameters
        ----------
        x
            Wavenumber times the cell of the force mesh.
        a
            Scale factor.
        ln_sigma
            `nonlinearity` at a.
        step
            Width of a time step relative to the age of the structures: D1(1) / (steps D1(a)); 0 for adaptive steps.
        """

    def filter(
        self,
        cosmology: Cosmology,
        mesh: ParticleMesh,
        integrator: Integrator,
        domain: Domain = SINGLE,
        field: Float32[Array, "x y z"] | None = None,
    ) -> "Filter":
        """The filter in a simulation of one cosmology on one mesh with some time steps; `field` as in `corrected`."""
        width = 1 / integrator.steps if isinstance(integrator, FixedSteps) else 0.0
        ln_sigma = nonlinearity(cosmology, mesh)
        if field is not None:
            ln_sigma = realised(ln_sigma, field, mesh, domain)
        return Filter(self, ln_sigma, mesh, width, domain)

    def method(
        self,
        mesh: ParticleMesh,
        integrator: Integrator,
        cosmology: Cosmology,
        domain: Domain = SINGLE,
        field: Float32[Array, "x y z"] | None = None,
    ) -> Method:
        """Method of a simulation whose force is corrected at every step; `field` as in `corrected`."""
        gain = self.filter(cosmology, mesh, integrator, domain, field)
        return Method(mesh, integrator, gain=gain, domain=domain)


class Filter(eqx.Module):
    """A correction in a simulation, in single precision; built by `ForceCorrection.filter`.

    Attributes
    ----------
    correction
        The network.
    ln_sigma
        Table of `nonlinearity`.
    mesh
        Box and force mesh.
    width
        Width of a time step in D1 / D1(1), without the start: 1 / steps, 0 for adaptive steps.
    domain
        Where the box is.
    """

    correction: ForceCorrection
    ln_sigma: UniformHermiteTable
    mesh: ParticleMesh = eqx.field(static=True)
    width: float = eqx.field(static=True)
    domain: Domain = eqx.field(static=True, default=SINGLE)

    def __call__(self, a: Float32[Array, ""]) -> Float32[Array, "x y half"]:
        """Factor 1 + f of each mode of the potential, linear between knots of the wavenumber."""
        # The network runs at 256 knots instead of at every mode.
        spacing = CORNER / (KNOTS - 1)
        knots = jnp.arange(KNOTS, dtype=jnp.float32) * spacing
        ln_sigma = self.ln_sigma(jnp.log(a))
        # sigma grows as D1, and the last knot is today
        step = self.width * jnp.exp(self.ln_sigma.values[-1] - ln_sigma)
        f = self.correction.response(knots, a, ln_sigma, step)
        steps = self.domain.distances(self.mesh.mesh_size, spacing)  # |k| cell_size / spacing
        left = steps.astype(np.int32).clip(max=KNOTS - 2)
        return 1 + f[left] + (steps - left).astype(np.float32) * (f[left + 1] - f[left])


class HPN(ForceCorrection):
    """A filter of the wavenumber in mesh units, of how nonlinear the density is on the scale of the mesh, and of steps.

    Attributes
    ----------
    layers
        Weights and biases of N.
    ln_sigma_range
        Range of ln sigma that training covered.

    Notes
    -----
    f = x^2 / (6 + 3 x^2 / 8) + x^4 / (1 + x^4) N(x, ln sigma, step). The first term undoes the windows of the clouds in
    painting and reading, sinc^4(x / 2) = 1 - x^2 / 6 + ..., which weaken the force on scales far above the cell. The
    network N has two hidden layers with tanh and learns the rest. Its time is ln sigma, because gravity acting on a
    power-law spectrum is self-similar in it: a resolution, redshift or cosmology that training did not cover
    corresponds to one that it covered, at another a. Beyond the trained range, ln sigma stays at the end of the range.
    Time steps too long for the orbits in halos lose power that the force must make up for, more of it the longer they
    are: the third input. Weights of two inputs, trained with one number of steps, do without it.

    References
    ----------
    Lanzieri et al. (2022), arXiv:2207.05509, whose network takes a and k / k_Nyquist (`PublishedHPN`).
    """

    layers: Layers
    ln_sigma_range: tuple[float, float] = eqx.field(static=True)

    @classmethod
    def initial(cls, key: Key[Array, ""], ln_sigma_range: tuple[float, float], width: int = 16) -> "HPN":
        """An untrained network, N = 0: it undoes the windows and nothing else.

        Parameters
        ----------
        key
            Key of the random weights.
        ln_sigma_range
            Range of ln sigma that training will cover.
        width
            Units in each of two hidden layers.
        """
        # weights of 0 in the last layer make N = 0; random ones in the others keep its units different from each other
        *hidden, (weights, biases) = random_layers(key, (3, width, width, 1))
        return cls((*hidden, (jnp.zeros_like(weights), biases)), ln_sigma_range)

    def response(
        self, x: Float32[Array, " knot"], a: Float32[Array, ""], ln_sigma: Float32[Array, ""], step: Float32[Array, ""]
    ) -> Float32[Array, " knot"]:
        """The filter f; see `ForceCorrection.response`."""
        low, high = self.ln_sigma_range
        # all inputs run from -1 to 1, where tanh is neither linear nor flat
        time = 2 * (jnp.clip(ln_sigma, low, high) - low) / (high - low) - 1
        coarseness = 2 * step / (step + LONG_STEP) - 1
        inputs = [2 * x / CORNER - 1, *(jnp.broadcast_to(each, x.shape) for each in (time, coarseness))]
        units = jnp.stack(inputs[: self.layers[0][0].shape[1]])
        for weights, biases in self.layers[:-1]:
            units = jnp.tanh(weights @ units + biases[:, None])
        weights, biases = self.layers[-1]
        learned = (weights @ units + biases[:, None])[0]
        # The first term is 1.7 in the corner of the mesh, where 1 / sinc^4 would be 2000. The factor x^4 / (1 + x^4)
        # keeps the network out of large scales, where linear growth must hold.
        return x**2 / (6 + 3 * x**2 / 8) + x**4 / (1 + x**4) * learned


def random_layers(key: Key[Array, ""], sizes: tuple[int, ...]) -> Layers:
    """Normal weights of variance 1 / inputs, zero biases."""
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(
        (jax.random.normal(k, (out, into), jnp.float32) * np.float32(into**-0.5), jnp.zeros(out, jnp.float32))
        for k, into, out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    )
