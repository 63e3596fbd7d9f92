r"""Linear and second-order growth of structure, without radiation.

Convention: D1(a = 1) = 1, and D2 in units of D1(1)^2 with D2 -> -(3/7) D1^2 early. With primes for d/dlna,

    D1'' + (2 + dlnE/dlna) D1' - (3/2) Omega_m(a) D1 = 0,
    D2'' + (2 + dlnE/dlna) D2' - (3/2) Omega_m(a) D2 = -(3/2) Omega_m(a) D1^2

(Bouchet et al. 1995, astro-ph/9406013). The unknowns are D1/a, D1'/a, D2/a^2 and D2'/a^2, constant while matter
dominates: fixed steps from knot to knot are accurate, and the tables go on before A_EARLY as they should.
"""

from typing import Generic, NamedTuple, TypeVar

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from lenscast.cosmology.background import LN_A, Omega_m_a, expansion_slope
from lenscast.cosmology.parameters import Parameters
from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable

__all__ = ["Growth", "growth"]

_T = TypeVar("_T")


class _Scaled(NamedTuple, Generic[_T]):
    """D1/a, D1'/a, D2/a^2, D2'/a^2, or one table of each."""

    D1: _T
    D1_prime: _T
    D2: _T
    D2_prime: _T


class Growth(eqx.Module):
    """Growth factors as functions of the scale factor; built by `growth`.

    Between A_EARLY and 1 all are accurate to 1e-8 relative; before A_EARLY they follow the matter era.
    """

    parameters: Parameters
    of_ln_a: _Scaled[UniformHermiteTable]
    ln_a_of_D1: HermiteTable

    def D1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth factor, 1 today."""
        return a * self.of_ln_a.D1(jnp.log(a))

    def f1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth rate dlnD1 / dlna."""
        return self.dD1_da(a) * a / self.D1(a)

    def dD1_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the linear growth factor by the scale factor."""
        return self.of_ln_a.D1_prime(jnp.log(a))

    def d2D1_da2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second derivative of the linear growth factor by the scale factor, from the growth equation."""
        drag = 3 + expansion_slope(a, self.parameters)
        source = 1.5 * Omega_m_a(a, self.parameters) * self.D1(a) / a
        return (source - drag * self.dD1_da(a)) / a

    def D2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second-order growth factor, -(3/7) D1^2 early."""
        return a**2 * self.of_ln_a.D2(jnp.log(a))

    def f2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second-order growth rate dlnD2 / dlna, 2 early."""
        return self.dD2_da(a) * a / self.D2(a)

    def dD2_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the second-order growth factor by the scale factor."""
        return a * self.of_ln_a.D2_prime(jnp.log(a))

    def dD2_dD1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the second-order growth factor by the linear one, -(6/7) D1 early."""
        return self.dD2_da(a) / self.dD1_da(a)

    def scale_factor(self, D1: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Scale factor at which the linear growth factor is D1, between D1(A_EARLY) and 1."""
        return jnp.exp(self.ln_a_of_D1(D1))


def growth(parameters: Parameters) -> Growth:
    """Tables of first- and second-order growth, solved with diffrax from the growing mode at A_EARLY.

    Parameters
    ----------
    parameters : cosmological parameters; density and equation of state matter.
    """
    state = _solve(parameters)
    today = state.D1[-1]
    state = _Scaled(state.D1 / today, state.D1_prime / today, state.D2 / today**2, state.D2_prime / today**2)
    slopes = _derivative(jnp.asarray(LN_A), state, parameters)
    start, spacing = float(LN_A[0]), float(LN_A[1] - LN_A[0])
    tables = (UniformHermiteTable(*knots, start, spacing) for knots in zip(state, slopes, strict=True))
    a = jnp.exp(jnp.asarray(LN_A))
    inverse = HermiteTable(a * state.D1, jnp.asarray(LN_A), 1 / (a * state.D1_prime))
    return Growth(parameters, _Scaled(*tables), inverse)


def _derivative(
    ln_a: Float[Array, "*shape"], state: _Scaled[Float[Array, "*shape"]], parameters: Parameters
) -> _Scaled[Float[Array, "*shape"]]:
    """Growth equations of the scaled state, as d/dlna."""
    a = jnp.exp(ln_a)
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    return _Scaled(
        D1=state.D1_prime - state.D1,
        D1_prime=gravity * state.D1 - (drag + 1) * state.D1_prime,
        D2=state.D2_prime - 2 * state.D2,
        D2_prime=gravity * (state.D2 - state.D1**2) - (drag + 2) * state.D2_prime,
    )


def _growing_mode(parameters: Parameters) -> _Scaled[Float[Array, ""]]:
    """Initial state D1 = a^m, D2 = c D1^2 that solves the growth equations with the coefficients of A_EARLY.

    m = 1 and c = -3/7 but for dark energy that still counts then.
    """
    a = jnp.exp(jnp.asarray(LN_A[0]))
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    m = (jnp.sqrt(drag**2 + 4 * gravity) - drag) / 2
    c = -gravity / (4 * m**2 + 2 * drag * m - gravity)
    one = jnp.ones_like(a)
    return _Scaled(D1=one, D1_prime=m, D2=c, D2_prime=2 * m * c)


def _solve(parameters: Parameters) -> _Scaled[Float[Array, " knot"]]:
    """Scaled growth at all knots, D1 = a at A_EARLY; the direct adjoint differentiates in both modes."""
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(_derivative),
        diffrax.Tsit5(),
        t0=LN_A[0],
        t1=LN_A[-1],
        dt0=None,
        y0=_growing_mode(parameters),
        args=parameters,
        saveat=diffrax.SaveAt(t0=True, steps=True),
        stepsize_controller=diffrax.StepTo(LN_A),
        adjoint=diffrax.DirectAdjoint(),
        max_steps=LN_A.size - 1,
    )
    return solution.ys
