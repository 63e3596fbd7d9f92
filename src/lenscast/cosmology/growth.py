r"""Linear and second-order growth of structure, without radiation.

Convention: D1(a = 1) = 1, and D2 in units of D1(1)^2 with D2 -> -(3/7) D1^2 early. With primes for d/dlna,

    D1'' + (2 + dlnE/dlna) D1' - (3/2) Omega_m(a) D1 = 0,
    D2'' + (2 + dlnE/dlna) D2' - (3/2) Omega_m(a) D2 = -(3/2) Omega_m(a) D1^2

(Bouchet et al. 1995, astro-ph/9406013). The unknowns are D1/a, D1'/a, D2/a^2 and D2'/a^2, which are constant while
matter dominates. Fixed steps are therefore accurate, and the straight continuation of the table before A_EARLY follows
the matter era. A step passes several knots: the equations give first and second derivatives at its ends, and a quintic
with both is as accurate as the step.
"""

from typing import Generic, NamedTuple, TypeVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lenscast.cosmology.background import LN_A, LN_A_SPACING, Omega_m_a, expansion_slope
from lenscast.cosmology.parameters import Parameters, basis
from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable
from lenscast.parameters import COSMOLOGICAL

T = TypeVar("T")


class Unknowns(NamedTuple, Generic[T]):
    """One entry for each of the four unknowns, in their order along the last axis of an array.

    Attributes
    ----------
    D1, D1_prime
        D1 / a and D1' / a.
    D2, D2_prime
        D2 / a^2 and D2' / a^2.
    """

    D1: T
    D1_prime: T
    D2: T
    D2_prime: T


KNOTS_PER_STEP = 4
"""Knots of the table for each step of the solver, whose error is then 4e-9 at w0 = -1 and 3e-7 at w0 = -3."""

COLUMN = Unknowns(*range(4))
"""Index of each unknown."""

POWER_OF_D1 = Unknowns(D1=1, D1_prime=1, D2=2, D2_prime=2)
"""Each unknown scales with this power of the normalisation of D1, and with this power of a while matter dominates."""


class Growth(eqx.Module):
    """Growth factors as functions of the scale factor; built by `growth`.

    Accurate to 1e-8 between A_EARLY and 1, to 5e-7 at w0 = -3; before A_EARLY they follow the matter era.

    Attributes
    ----------
    unknowns
        Table of the four unknowns in ln a. They share one table, because XLA compiles one table faster than four.
    ln_a_of_D1
        Table of ln a as a function of D1.
    """

    unknowns: UniformHermiteTable
    ln_a_of_D1: HermiteTable

    def D1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth factor, 1 today."""
        return a * self.unknowns(jnp.log(a))[..., COLUMN.D1]

    def f1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth rate dlnD1 / dlna."""
        return self.dD1_da(a) * a / self.D1(a)

    def dD1_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the linear growth factor with respect to the scale factor."""
        # D1' is d/dlna, so that D1' / a is d/da
        return self.unknowns(jnp.log(a))[..., COLUMN.D1_prime]

    def D2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second-order growth factor, -(3/7) D1^2 early."""
        return a**2 * self.unknowns(jnp.log(a))[..., COLUMN.D2]

    def dD2_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the second-order growth factor with respect to the scale factor."""
        return a * self.unknowns(jnp.log(a))[..., COLUMN.D2_prime]

    def dD2_dD1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the second-order growth factor with respect to the linear one, -(6/7) D1 early."""
        return self.dD2_da(a) / self.dD1_da(a)

    def scale_factor(self, D1: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Scale factor at which the linear growth factor is D1, between D1(A_EARLY) and 1."""
        return jnp.exp(self.ln_a_of_D1(D1))


def growth(parameters: Parameters) -> Growth:
    """Tables of first- and second-order growth, solved with diffrax from the growing mode at A_EARLY.

    Parameters
    ----------
    parameters
        Cosmological parameters, of which growth depends on matter density and dark energy only.
    """
    state = _at_knots(_solve(parameters), parameters)
    # D1 = 1 today; a slice of length 1, so that the last knot's D1 broadcasts over knots and unknowns
    today = state[-1:, COLUMN.D1 : COLUMN.D1 + 1]
    state = state / today ** np.array([POWER_OF_D1])
    ln_a = jnp.asarray(LN_A)
    D1, D1_prime = jnp.exp(ln_a) * state[:, COLUMN.D1], jnp.exp(ln_a) * state[:, COLUMN.D1_prime]
    return Growth(
        unknowns=UniformHermiteTable(state, _derivative(ln_a, state, parameters), float(LN_A[0]), LN_A_SPACING),
        ln_a_of_D1=HermiteTable(D1, ln_a, 1 / D1_prime),
    )


def _derivative(
    ln_a: Float[Array, "*shape"], state: Float[Array, "*shape 4"], parameters: Parameters
) -> Float[Array, "*shape 4"]:
    """Growth equations as first-order equations of the unknowns, d/dlna."""
    D1, D1_prime, D2, D2_prime = Unknowns(*(state[..., column] for column in COLUMN))
    a = jnp.exp(ln_a)
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    # an unknown is divided by a or a^2, which adds -1 or -2 times the unknown to its slope
    slopes = Unknowns(
        D1=D1_prime - D1,
        D1_prime=gravity * D1 - (drag + 1) * D1_prime,
        D2=D2_prime - 2 * D2,
        D2_prime=gravity * (D2 - D1**2) - (drag + 2) * D2_prime,
    )
    return jnp.stack(slopes, axis=-1)


def _at_knots(ends: Float[Array, "end 4"], parameters: Parameters) -> Float[Array, "knot 4"]:
    """Unknowns at all knots from those at the ends of steps, by quintic Hermite interpolation."""
    ln_a, width = jnp.asarray(LN_A[::KNOTS_PER_STEP]), KNOTS_PER_STEP * LN_A_SPACING
    slope = _derivative(ln_a, ends, parameters)
    along = (jnp.ones_like(ln_a), slope)
    _, curvature = jax.jvp(lambda time, state: _derivative(time, state, parameters), (ln_a, ends), along)
    t = np.arange(KNOTS_PER_STEP)[None, :, None] / KNOTS_PER_STEP
    u = 1 - t
    # values, slopes and curvatures of the near end; mirrored for the far end, where slopes change their sign
    near = [u**3 * each for each in (1 + 3 * t + 6 * t**2, t * (1 + 3 * t), t**2 / 2)]
    far = [t**3 * each for each in (1 + 3 * u + 6 * u**2, -u * (1 + 3 * u), u**2 / 2)]
    terms = (ends, width * slope, width**2 * curvature)
    inside = sum(
        here * each[:-1, None] + there * each[1:, None] for here, there, each in zip(near, far, terms, strict=True)
    )
    return jnp.append(inside.reshape(-1, 4), ends[-1:], axis=0)


def _growing_mode(parameters: Parameters) -> Float[Array, "4"]:
    """Unknowns at A_EARLY for D1 = a^m, D2 = c D1^2, which solve the growth equations with the coefficients there.

    m = 1 and c = -3/7 where dark energy is negligible at A_EARLY.
    """
    a = jnp.exp(jnp.asarray(LN_A[0]))
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    # D1 = a^m gives m^2 + drag m - gravity = 0, whose positive root grows
    m = (jnp.sqrt(drag**2 + 4 * gravity) - drag) / 2
    # D2 = c a^2m gives (4 m^2 + 2 drag m - gravity) c = -gravity
    c = -gravity / (4 * m**2 + 2 * drag * m - gravity)
    # in units of D1(A_EARLY) / A_EARLY: `growth` normalises to D1 = 1 today
    return jnp.stack(Unknowns(D1=jnp.ones_like(a), D1_prime=m, D2=c, D2_prime=2 * m * c))


def _integrate(parameters: Parameters) -> Float[Array, "end 4"]:
    """Unknowns at the ends of all steps, with D1 = a at A_EARLY."""
    # The steps are fixed and nothing can fail, so throw=False: the check of diffrax calls back to the host, and JAX
    # keeps no program with callbacks in its compilation cache.
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda ln_a, state, args: _derivative(jnp.asarray(ln_a), state, args)),
        diffrax.Tsit5(),
        t0=float(LN_A[0]),
        t1=float(LN_A[-1]),
        dt0=KNOTS_PER_STEP * LN_A_SPACING,
        y0=_growing_mode(parameters),
        args=parameters,
        saveat=diffrax.SaveAt(t0=True, steps=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=(LN_A.size - 1) // KNOTS_PER_STEP,
        throw=False,
    )
    return solution.ys


@jax.custom_jvp
def _solve(parameters: Parameters) -> Float[Array, "end 4"]:
    """`_integrate`, differentiable in both modes."""
    return _integrate(parameters)


@_solve.defjvp
def _solve_jvp(primals: tuple[Parameters], tangents: tuple[Parameters]) -> tuple[Array, Array]:
    """Jacobian of the solution, computed in forward mode and contracted with the tangent.

    The contraction is linear in the tangent, so that JAX transposes it for reverse mode. This compiles in half the time
    of a direct adjoint of the solver, and a gradient runs in a quarter of the time.
    """
    (parameters,), (tangent,) = primals, tangents

    def column(unit: Parameters) -> tuple[Array, Array]:
        return jax.jvp(_integrate, (parameters,), (unit,))

    state, jacobian = jax.vmap(column, out_axes=(None, 0))(basis(parameters, COSMOLOGICAL))
    # the leaves of the tangent are in the order of COSMOLOGICAL, like the basis
    return state, jnp.tensordot(jnp.stack(jax.tree.leaves(tangent)), jacobian, 1)
