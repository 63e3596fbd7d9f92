r"""Linear and second-order growth of structure, without radiation.

Convention: D1(a = 1) = 1, and D2 in units of D1(1)^2 with D2 -> -(3/7) D1^2 early. With primes for d/dlna,

    D1'' + (2 + dlnE/dlna) D1' - (3/2) Omega_m(a) D1 = 0,
    D2'' + (2 + dlnE/dlna) D2' - (3/2) Omega_m(a) D2 = -(3/2) Omega_m(a) D1^2

(Bouchet et al. 1995, astro-ph/9406013). The unknowns are D1/a, D1'/a, D2/a^2 and D2'/a^2, constant while
matter dominates: fixed steps from knot to knot are accurate, and the tables go on before A_EARLY as they should.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lenscast.cosmology.background import LN_A, LN_A_SPACING, Omega_m_a, expansion_slope
from lenscast.cosmology.parameters import PARAMETER_NAMES, Parameters, basis
from lenscast.numerics.interpolation import HermiteTable, UniformHermiteTable

__all__ = ["Growth", "growth"]


class Growth(eqx.Module):
    """Growth factors as functions of the scale factor; built by `growth`.

    Accurate to 1e-7 between A_EARLY and 1; before A_EARLY they follow the matter era.

    Attributes
    ----------
    parameters : cosmological parameters.
    scaled : table in ln a of the four unknowns, together: XLA compiles one table faster than four.
    ln_a_of_D1 : table of ln a in D1.
    """

    parameters: Parameters
    scaled: UniformHermiteTable
    ln_a_of_D1: HermiteTable

    def D1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth factor, 1 today."""
        return a * self.scaled(jnp.log(a))[..., 0]

    def f1(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Linear growth rate dlnD1 / dlna."""
        return self.dD1_da(a) * a / self.D1(a)

    def dD1_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the linear growth factor by the scale factor."""
        return self.scaled(jnp.log(a))[..., 1]

    def d2D1_da2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second derivative of the linear growth factor by the scale factor, from the growth equation."""
        drag = 3 + expansion_slope(a, self.parameters)
        source = 1.5 * Omega_m_a(a, self.parameters) * self.D1(a) / a
        return (source - drag * self.dD1_da(a)) / a

    def D2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second-order growth factor, -(3/7) D1^2 early."""
        return a**2 * self.scaled(jnp.log(a))[..., 2]

    def f2(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Second-order growth rate dlnD2 / dlna, 2 early."""
        return self.dD2_da(a) * a / self.D2(a)

    def dD2_da(self, a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Derivative of the second-order growth factor by the scale factor."""
        return a * self.scaled(jnp.log(a))[..., 3]

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
    state = state / state[-1:, :1] ** np.array([[1, 1, 2, 2]])
    ln_a = jnp.asarray(LN_A)
    D1, D1_prime = jnp.exp(ln_a) * state[:, 0], jnp.exp(ln_a) * state[:, 1]
    return Growth(
        parameters,
        scaled=UniformHermiteTable(state, _derivative(ln_a, state, parameters), float(LN_A[0]), LN_A_SPACING),
        ln_a_of_D1=HermiteTable(D1, ln_a, 1 / D1_prime),
    )


def _derivative(
    ln_a: Float[Array, "*shape"], state: Float[Array, "*shape 4"], parameters: Parameters
) -> Float[Array, "*shape 4"]:
    """Growth equations of the unknowns, as d/dlna."""
    D1, D1_prime, D2, D2_prime = (state[..., i] for i in range(4))
    a = jnp.exp(ln_a)
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    slopes = [
        D1_prime - D1,
        gravity * D1 - (drag + 1) * D1_prime,
        D2_prime - 2 * D2,
        gravity * (D2 - D1**2) - (drag + 2) * D2_prime,
    ]
    return jnp.stack(slopes, axis=-1)


def _growing_mode(parameters: Parameters) -> Float[Array, "4"]:
    """Initial state D1 = a^m, D2 = c D1^2 that solves the growth equations with the coefficients of A_EARLY.

    m = 1 and c = -3/7 but for dark energy that still counts then.
    """
    a = jnp.exp(jnp.asarray(LN_A[0]))
    drag = 2 + expansion_slope(a, parameters)
    gravity = 1.5 * Omega_m_a(a, parameters)
    m = (jnp.sqrt(drag**2 + 4 * gravity) - drag) / 2
    c = -gravity / (4 * m**2 + 2 * drag * m - gravity)
    return jnp.stack([jnp.ones_like(a), m, c, 2 * m * c])


def _integrate(parameters: Parameters) -> Float[Array, "knot 4"]:
    """The unknowns at all knots, with D1 = a at A_EARLY.

    The steps are fixed, so that no error check is needed: a check would call back to the host, and JAX keeps no
    program that does in its compilation cache.
    """
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda ln_a, state, args: _derivative(jnp.asarray(ln_a), state, args)),
        diffrax.Tsit5(),
        t0=float(LN_A[0]),
        t1=float(LN_A[-1]),
        dt0=LN_A_SPACING,
        y0=_growing_mode(parameters),
        args=parameters,
        saveat=diffrax.SaveAt(t0=True, steps=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=LN_A.size - 1,
        throw=False,
    )
    return solution.ys


@jax.custom_jvp
def _solve(parameters: Parameters) -> Float[Array, "knot 4"]:
    """`_integrate`, differentiable in both modes."""
    return _integrate(parameters)


@_solve.defjvp
def _solve_jvp(primals: tuple[Parameters], tangents: tuple[Parameters]) -> tuple[Array, Array]:
    """The Jacobian in forward mode, contracted with the tangent: linear in it, so that reverse mode transposes it.

    It compiles in half the time of a direct adjoint, and a gradient runs in a quarter.
    """
    (parameters,), (tangent,) = primals, tangents

    def column(unit: Parameters) -> tuple[Array, Array]:
        return jax.jvp(_integrate, (parameters,), (unit,))

    state, jacobian = jax.vmap(column, out_axes=(None, 0))(basis(parameters, PARAMETER_NAMES))
    return state, jnp.tensordot(jnp.stack(jax.tree.leaves(tangent)), jacobian, 1)
