"""Power spectrum of a periodic box, from particles or from a field on a mesh.

Convention: P(k) = |delta_k|^2 / V [(Mpc/h)^3] in shells one fundamental mode 2 pi / L wide, as far as the Nyquist
wavenumber of the mesh leaves them whole. The cloud-in-cell window of painting is divided out. Shot noise stays in:
particles that start from a lattice have none until they cross. Aliasing stays in too: about 1 % at half the Nyquist
wavenumber, for spectra like those of matter.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int

from lenscast.gravity.painting import paint
from lenscast.numerics.fourier import wavenumbers

POWER_ERROR = 0.05  # of P / P_ref - 1: below it, improvements hardly count


class MeasuredPower(NamedTuple):
    """Power in shells of wavenumber.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of a shell [h/Mpc].
    power
        Mean power of the modes of a shell [(Mpc/h)^3].
    modes
        Number of modes in a shell; a mode and its conjugate count as two.
    """

    k: Float64[Array, " shell"]
    power: Float64[Array, " shell"]
    modes: Int[np.ndarray, " shell"]


class CrossPower(NamedTuple):
    """Power of two densities, and their cross power, in shells of wavenumber.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of a shell [h/Mpc].
    power, reference
        Mean power of each density [(Mpc/h)^3].
    cross
        Real part of their cross power [(Mpc/h)^3].
    """

    k: Float64[np.ndarray, " shell"]
    power: Float64[Array, " shell"]
    reference: Float64[Array, " shell"]
    cross: Float64[Array, " shell"]

    @property
    def correlation(self) -> Float64[Array, " shell"]:
        """Cross-correlation coefficient r(k)."""
        return self.cross / jnp.sqrt(self.power * self.reference)


def particle_power(position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> MeasuredPower:
    """Power spectrum of the density of particles, differentiable with respect to their positions.

    Parameters
    ----------
    position
        Comoving positions, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    mesh_size
        Mesh points per side. Twice the particles per side keeps aliasing small up to their Nyquist wavenumber.

    References
    ----------
    Hockney & Eastwood (1988), Sect. 5-6; Jing (2005), astro-ph/0409240, Sect. 2.
    """
    counts = paint(position, box_size, mesh_size)
    delta = counts * (mesh_size**3 / position.shape[1]) - 1
    return _power(delta, box_size, _inverse_window(mesh_size, box_size))


def field_power(delta: Float32[Array, "x y z"], box_size: float) -> MeasuredPower:
    """Power spectrum of an overdensity on a mesh, such as `linear_field`, differentiable with respect to it.

    Parameters
    ----------
    delta
        Overdensity.
    box_size
        Side of the box [Mpc/h].
    """
    return _power(delta, box_size, 1.0)


def _power(
    delta: Float32[Array, "x y z"], box_size: float, correction: Float[np.ndarray, "..."] | float
) -> MeasuredPower:
    """Mean power of the modes of each shell, multiplied by a correction such as `_inverse_window`."""
    shells, modes = _shells(delta.shape[0], box_size, correction), jnp.fft.rfftn(delta).ravel()
    return MeasuredPower(jnp.asarray(shells.k), shells.mean(modes, modes), shells.modes)


def cross_power(
    position: Float32[Array, "3 particle"],
    reference: Float32[Array, "3 particle"],
    box_size: float,
    mesh_size: int,
) -> CrossPower:
    """Power of two sets of particles in one box and their cross power, differentiable with respect to positions.

    Parameters
    ----------
    position, reference
        Comoving positions of both sets, wrapped periodically [Mpc/h].
    box_size
        Side of the box [Mpc/h].
    mesh_size
        Mesh points per side, as in `particle_power`.
    """
    both = [paint(each, box_size, mesh_size) * (mesh_size**3 / each.shape[1]) - 1 for each in (position, reference)]
    first, second = (jnp.fft.rfftn(delta).ravel() for delta in both)
    shells = _shells(mesh_size, box_size, _inverse_window(mesh_size, box_size))
    return CrossPower(shells.k, *(shells.mean(x, y) for x, y in ((first, first), (second, second), (first, second))))


def mean_over_ln_k(values: Float[Array, " shell"], particles: int) -> Float[Array, ""]:
    """Mean over ln k of a function of the shell, up to the Nyquist wavenumber of the particles.

    Parameters
    ----------
    values
        Value of each shell. Shells are one fundamental mode wide, the first about that mode, as in `MeasuredPower`.
    particles
        Particles per side of the box.
    """
    # d ln k = dk / k, in equal dk: shell n weighs 1 / n
    weights = 1 / np.arange(1, particles // 2 + 1)
    return jnp.sum(values[: weights.size] * weights) / weights.sum()


def power_error(spectra: CrossPower, particles: int) -> Float[Array, ""]:
    """Mean of ln(1 + ((P / P_ref - 1) / 0.05)^2) over ln k up to the Nyquist wavenumber of the particles.

    The logarithm keeps the modes near the Nyquist wavenumber, which no correction restores, from outweighing the rest.

    Parameters
    ----------
    spectra
        Result of `cross_power`.
    particles
        Particles per side of the box.
    """
    return mean_over_ln_k(jnp.log1p(((spectra.power / spectra.reference - 1) / POWER_ERROR) ** 2), particles)


class _Shells(NamedTuple):
    """Modes of an ``rfftn`` by shell: constants of a traced program.

    Attributes
    ----------
    k
        Mean wavenumber of the modes of a shell [h/Mpc].
    modes
        Number of modes in a shell.
    shell
        Shell of each mode of the ``rfftn``; the number of shells where a mode belongs to none.
    weight
        Factor from the squared modulus of each mode to its power [(Mpc/h)^3], doubled where its conjugate is left out.
    """

    k: Float64[np.ndarray, " shell"]
    modes: Int[np.ndarray, " shell"]
    shell: Int[np.ndarray, "..."]
    weight: Float64[np.ndarray, "..."]

    def mean(self, x: Array, y: Array) -> Float64[Array, " shell"]:
        """Mean of Re(x y*) over each shell, times the weight."""
        # sums of thousands of modes in double precision; the last segment collects the modes that belong to no shell
        terms = (jnp.real(x) * jnp.real(y) + jnp.imag(x) * jnp.imag(y)).astype(jnp.float64) * self.weight
        return jax.ops.segment_sum(terms, self.shell, num_segments=self.k.size + 1)[:-1] / self.modes


def _shells(size: int, box_size: float, correction: Float[np.ndarray, "..."] | float) -> _Shells:
    """Shells of a mesh whose power is multiplied by a correction."""
    k = np.sqrt(sum(component**2 for component in _wavenumbers(size, box_size)))
    shell = np.rint(k / (2 * np.pi / box_size)).astype(np.int32).ravel()
    shells = (size - 1) // 2
    # rfftn leaves out the conjugates of half of the modes; those at 0 and at Nyquist of the last axis it has in full
    twice = np.full(k.shape, 2.0)
    twice[..., 0] = 1
    if size % 2 == 0:
        twice[..., -1] = 1
    shell = np.where((shell > 0) & (shell <= shells), shell - 1, shells)
    modes = np.bincount(shell, twice.ravel(), shells + 1)[:shells]
    mean_k = np.bincount(shell, (twice * k).ravel(), shells + 1)[:shells] / modes
    # P = |delta_k|^2 / V with delta_k = V rfftn / size^3: the factor V / size^6
    return _Shells(mean_k, modes.astype(int), shell, (twice * correction).ravel() * (box_size / size**2) ** 3)


def _inverse_window(size: int, box_size: float) -> Float64[np.ndarray, "..."]:
    """Inverse of the squared window of the clouds, [sinc(k_x d / 2) sinc(k_y d / 2) sinc(k_z d / 2)]^-4, d the cell."""
    x, y, z = (np.sinc(k * (box_size / size / (2 * np.pi))) for k in _wavenumbers(size, box_size))
    return 1 / (x * y * z) ** 4


def _wavenumbers(size: int, box_size: float) -> list[Float64[np.ndarray, "..."]]:
    """Components of the wavenumber on the mesh, as constants of a traced program."""
    with jax.ensure_compile_time_eval():
        return [np.asarray(component) for component in wavenumbers((size,) * 3, box_size / size, jnp.float64)]
