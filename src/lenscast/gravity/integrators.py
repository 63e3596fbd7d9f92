r"""Growth-matched fixed-step integrators, as diffrax solvers.

A step of FastPM reproduces the Zel'dovich solution exactly, one of BullFrog second-order Lagrangian perturbation
theory too: a dozen steps do what a plain leapfrog needs hundreds for. Both take as vector field the pair of momentum
and acceleration -grad phi, and multiply it by the growth of the step; cosmology comes through ``args``. Between steps
the displacement is a cubic in D1.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax.numpy as jnp
from diffrax import AbstractLocalInterpolation, AbstractSolver, AbstractTerm
from jaxtyping import Array, Float

from lenscast.cosmology import Cosmology
from lenscast.cosmology.background import expansion
from lenscast.gravity.mesh import Particles

__all__ = ["BullFrog", "FastPM", "growth_momentum"]

Scalar = Float[Array, ""]


def growth_momentum(a: Scalar, cosmology: Cosmology) -> Scalar:
    """F = a^3 E dD1/da: the momentum of a unit Zel'dovich displacement, and dF/dD1 dD1 its change."""
    return a**3 * expansion(a, cosmology.parameters) * cosmology.growth.dD1_da(a)


class _Ends(NamedTuple):
    """Linear growth and growth momentum at both ends of a step, in double precision."""

    D: tuple[Scalar, Scalar]
    F: tuple[Scalar, Scalar]

    @classmethod
    def of(cls, t0: Scalar, t1: Scalar, cosmology: Cosmology) -> "_Ends":
        a = tuple(jnp.asarray(t, jnp.float64) for t in (t0, t1))
        return cls(tuple(map(cosmology.growth.D1, a)), tuple(growth_momentum(t, cosmology) for t in a))


class GrowthInterpolation(AbstractLocalInterpolation):
    """Cubic Hermite interpolation of the displacement in the linear growth factor."""

    t0: Scalar
    t1: Scalar
    y0: Particles
    y1: Particles
    cosmology: Cosmology

    def evaluate(self, t0: Scalar, t1: Scalar | None = None, left: bool = True) -> Particles:
        """State at t0, or its change from t0 to t1."""
        if t1 is not None:
            start, end = self.evaluate(t0), self.evaluate(t1)
            return Particles(end.displacement - start.displacement, end.momentum - start.momentum)
        (D0, D1), (F0, F1) = _Ends.of(self.t0, self.t1, self.cosmology)
        a = jnp.asarray(t0, jnp.float64)
        width = D1 - D0
        s = (self.cosmology.growth.D1(a) - D0) / width
        F = growth_momentum(a, self.cosmology)
        ends = (self.y0.displacement, self.y1.displacement, self.y0.momentum, self.y1.momentum)
        value = ((1 + 2 * s) * (1 - s) ** 2, s**2 * (3 - 2 * s))
        slope = (s * (1 - s) ** 2 * width / F0, s**2 * (s - 1) * width / F1)
        value_rate = (-6 * s * (1 - s) * F / width, 6 * s * (1 - s) * F / width)
        slope_rate = ((1 - s) * (1 - 3 * s) * F / F0, s * (3 * s - 2) * F / F1)
        return Particles(_combine((*value, *slope), ends), _combine((*value_rate, *slope_rate), ends))


def _combine(factors: tuple[Scalar, ...], arrays: tuple[Array, ...]) -> Array:
    """Linear combination in the precision of the arrays."""
    return sum(factor.astype(array.dtype) * array for factor, array in zip(factors, arrays, strict=True))


def _acceleration(terms: Any, t: Scalar, displacement: Array, state: Particles, cosmology: Cosmology) -> Array:
    """Acceleration at a displacement; momenta do not matter to it."""
    return terms.vf(t, Particles(displacement, state.momentum), cosmology).momentum


class _GrowthMatched(AbstractSolver):
    """What the growth-matched solvers share."""

    term_structure: ClassVar = AbstractTerm
    interpolation_cls: ClassVar[Callable[..., GrowthInterpolation]] = GrowthInterpolation

    def order(self, terms: Any) -> int:
        return 2

    def func(self, terms: Any, t0: Scalar, y0: Particles, args: Cosmology) -> Any:
        return terms.vf(t0, y0, args)


class BullFrog(_GrowthMatched):
    """Drift-kick-drift steps in the growth factor, exact to second-order perturbation theory.

    One force per step. In D = D1 with Pi = dx/dD: x' = x + (Dm - D0) Pi, Pi1 = alpha Pi + beta A(x'),
    x1 = x' + (D1 - Dm) Pi1.

    References: Rampf, List & Hahn (2024), arXiv:2409.19049.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology) -> None:
        return None

    def step(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology, solver_state: None, made_jump: Any
    ) -> tuple[Particles, None, dict[str, Any], None, Any]:
        """Advance by one step."""
        (D0, D1), (F0, F1) = _Ends.of(t0, t1, args)
        half, alpha, beta = (D1 - D0) / 2, *_bullfrog_factors(t0, t1, D0, D1, args)
        middle = _combine((jnp.ones_like(half), half / F0), (y0.displacement, y0.momentum))
        time = args.growth.scale_factor(D0 + half).astype(t0.dtype)
        momentum = _combine((alpha * F1 / F0, beta * F1), (y0.momentum, _acceleration(terms, time, middle, y0, args)))
        y1 = Particles(_combine((jnp.ones_like(half), half / F1), (middle, momentum)), momentum)
        return y1, None, {"y0": y0, "y1": y1, "cosmology": args}, None, diffrax.RESULTS.successful


def _bullfrog_factors(t0: Scalar, t1: Scalar, D0: Scalar, D1: Scalar, cosmology: Cosmology) -> tuple[Scalar, Scalar]:
    """Weights alpha of the old velocity and beta of the acceleration in the kick (arXiv:2409.19049)."""
    start, end = (jnp.asarray(t, jnp.float64) for t in (t0, t1))
    growth = cosmology.growth
    width, middle = D1 - D0, (D0 + D1) / 2
    slope = growth.dD2_dD1(start)
    zeta = (growth.D2(start) + slope * width / 2) / middle - middle
    alpha = (growth.dD2_dD1(end) - zeta) / (slope - zeta)
    return alpha, (1 - alpha) / middle


class FastPM(_GrowthMatched):
    """Kick-drift-kick steps that follow the Zel'dovich solution exactly.

    One force per step; that of the last kick is kept for the next.

    References: Feng et al. (2016), arXiv:1603.00476, Eqs. 9 to 15.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology) -> Array:
        return terms.vf(t0, y0, args).momentum

    def step(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology, solver_state: Array, made_jump: Any
    ) -> tuple[Particles, None, dict[str, Any], Array, Any]:
        """Advance by one step."""
        (D0, D1), (F0, F1) = _Ends.of(t0, t1, args)
        F = growth_momentum(args.growth.scale_factor((D0 + D1) / 2), args)
        one = jnp.ones_like(F)
        momentum = _combine((one, (F - F0) / D0), (y0.momentum, solver_state))
        displacement = _combine((one, (D1 - D0) / F), (y0.displacement, momentum))
        force = _acceleration(terms, t1, displacement, y0, args)
        y1 = Particles(displacement, _combine((one, (F1 - F) / D1), (momentum, force)))
        return y1, None, {"y0": y0, "y1": y1, "cosmology": args}, force, diffrax.RESULTS.successful
