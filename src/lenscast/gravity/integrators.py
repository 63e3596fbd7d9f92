r"""Growth-matched fixed-step integrators, as diffrax solvers.

A step of FastPM reproduces the Zel'dovich solution exactly, one of BullFrog second-order Lagrangian perturbation
theory too: a dozen steps do what a plain leapfrog needs hundreds for. Both take as vector field the pair of momentum
and acceleration -grad phi, and multiply it by the growth of the step; cosmology comes through ``args``. Between steps
the displacement is a cubic in D1.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any, ClassVar, NamedTuple

import diffrax
import jax.numpy as jnp
from diffrax import AbstractLocalInterpolation, AbstractSolver, AbstractTerm
from jaxtyping import Array, Float, Float32

from lenscast.cosmology import Cosmology
from lenscast.cosmology.background import expansion
from lenscast.gravity.mesh import Particles
from lenscast.numerics.fusion import computed_once

__all__ = ["BullFrog", "FastPM", "GrowthInterpolation", "bullfrog_factors", "growth_momentum"]

Scalar = Float[Array, ""]


def growth_momentum(a: Float[Array, "*shape"], cosmology: Cosmology) -> Float[Array, "*shape"]:
    """F = a^3 E dD1/da: the momentum of a Zel'dovich displacement that is D1 long."""
    return a**3 * expansion(a, cosmology.parameters) * cosmology.growth.dD1_da(a)


class _Growth(NamedTuple):
    """Linear growth and growth momentum at several times, in double precision."""

    D: Float[Array, " time"]
    F: Float[Array, " time"]


def _growth(times: Sequence[Any], cosmology: Cosmology) -> _Growth:
    """Evaluated together: a table costs as much compilation for one time as for many."""
    a = jnp.stack([jnp.asarray(t, jnp.float64) for t in times])
    return _Growth(cosmology.growth.D1(a), growth_momentum(a, cosmology))


class GrowthInterpolation(AbstractLocalInterpolation):
    """Cubic Hermite interpolation of the displacement in the linear growth factor."""

    t0: Scalar  # type: ignore[misc]  # abstract in diffrax, which mypy takes for a class variable
    t1: Scalar  # type: ignore[misc]
    y0: Particles
    y1: Particles
    cosmology: Cosmology

    def evaluate(self, t0: Scalar, t1: Scalar | None = None, left: bool = True) -> Particles:
        """State at t0, or its change from t0 to t1."""
        if t1 is not None:
            start, end = self.evaluate(t0), self.evaluate(t1)
            return Particles(end.displacement - start.displacement, end.momentum - start.momentum)
        (D0, D, D1), (F0, F, F1) = _growth((self.t0, t0, self.t1), self.cosmology)
        width = D1 - D0
        s = (D - D0) / width
        ends = (self.y0.displacement, self.y1.displacement, self.y0.momentum, self.y1.momentum)
        value = ((1 + 2 * s) * (1 - s) ** 2, s**2 * (3 - 2 * s))
        slope = (s * (1 - s) ** 2 * width / F0, s**2 * (s - 1) * width / F1)
        value_rate = (-6 * s * (1 - s) * F / width, 6 * s * (1 - s) * F / width)
        slope_rate = ((1 - s) * (1 - 3 * s) * F / F0, s * (3 * s - 2) * F / F1)
        factors = _factors(*value, *slope, *value_rate, *slope_rate)
        return Particles(_combine(factors[:4], ends), _combine(factors[4:], ends))


def _factors(*factors: Scalar) -> Float32[Array, " factor"]:
    """Factors of arrays of particles, which are not computed anew for each particle."""
    return computed_once(jnp.stack(factors).astype(jnp.float32))


def _combine(factors: Sequence[Array] | Float32[Array, " array"], arrays: tuple[Array, ...]) -> Array:
    """Linear combination of arrays, each with its factor."""
    return reduce(add, (factor * array for factor, array in zip(factors, arrays, strict=True)))


def _acceleration(terms: Any, t: Scalar, displacement: Array, state: Particles, cosmology: Cosmology) -> Array:
    """Acceleration at a displacement; momenta do not matter to it."""
    return terms.vf(t, Particles(displacement, state.momentum), cosmology).momentum


class _GrowthMatched(AbstractSolver):
    """What the growth-matched solvers share."""

    term_structure: ClassVar = AbstractTerm
    interpolation_cls: ClassVar[Callable[..., GrowthInterpolation]] = GrowthInterpolation

    def order(self, terms: Any) -> int:
        """Order of convergence."""
        return 2

    def func(self, terms: Any, t0: Scalar, y0: Particles, args: Cosmology) -> Any:
        """Momentum and acceleration."""
        return terms.vf(t0, y0, args)


class BullFrog(_GrowthMatched):
    """Drift-kick-drift steps in the growth factor whose velocities follow second-order perturbation theory.

    One force per step. In D = D1 with Pi = dx/dD: x' = x + (Dm - D0) Pi, Pi1 = alpha Pi + beta A(x'),
    x1 = x' + (D1 - Dm) Pi1. Zel'dovich displacements are exact; those of second order are to the trapezoidal rule,
    which is exact where D2 is quadratic in D1.

    References: Rampf, List & Hahn (2024), arXiv:2409.19049.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology) -> None:
        """Nothing passes from step to step but the particles."""
        return None

    def step(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology, solver_state: None, made_jump: Any
    ) -> tuple[Particles, None, dict[str, Any], None, Any]:
        """Advance by one step."""
        (D0, D1), (F0, F1) = _growth((t0, t1), args)
        half, (alpha, beta) = (D1 - D0) / 2, bullfrog_factors(t0, t1, args)
        first, *kick, second = _factors(half / F0, alpha * F1 / F0, beta * F1, half / F1)
        middle = y0.displacement + first * y0.momentum
        time = args.growth.scale_factor(D0 + half).astype(t0.dtype)
        momentum = _combine(kick, (y0.momentum, _acceleration(terms, time, middle, y0, args)))
        y1 = Particles(middle + second * momentum, momentum)
        return y1, None, {"y0": y0, "y1": y1, "cosmology": args}, None, diffrax.RESULTS.successful


def bullfrog_factors(t0: Scalar, t1: Scalar, cosmology: Cosmology) -> tuple[Scalar, Scalar]:
    """Weights alpha of the old velocity dx/dD1 and beta of the acceleration in the kick of a step from t0 to t1.

    alpha + beta Dm = 1 keeps Zel'dovich velocities; alpha E'(D0) + beta (Em - Dm^2) = E'(D1) gives those of second
    order, where E(D1) = D2, Dm = (D0 + D1) / 2 and Em = E(D0) + E'(D0) (Dm - D0) is what the drift has reached.

    References: Rampf, List & Hahn (2024), arXiv:2409.19049.
    """
    a = jnp.stack([jnp.asarray(t, jnp.float64) for t in (t0, t1)])
    growth = cosmology.growth
    (start, end), D1 = growth.dD2_dD1(a), growth.D1(a)
    middle, half = (D1[0] + D1[1]) / 2, (D1[1] - D1[0]) / 2
    zeta = (growth.D2(a)[0] + start * half) / middle - middle
    alpha = (end - zeta) / (start - zeta)
    return alpha, (1 - alpha) / middle


class FastPM(_GrowthMatched):
    """Kick-drift-kick steps that follow the Zel'dovich solution exactly.

    One force per step; that of the last kick is kept for the next.

    Drift by (D1 - D0) / F(am), kick by (Fm - F0) / D(a0) and (F1 - Fm) / D(a1), with F = a^3 E dD1/da and D(am) the
    middle of D0 and D1. By the growth equation dF/da = (3/2) Omega_m D1 / (a^2 E) for any dark energy, so that these
    are the kicks (3/2) Omega_m dF / (F' a^2 E) of the reference.

    References: Feng et al. (2016), arXiv:1603.00476.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology) -> Array:
        """Acceleration at the start."""
        return terms.vf(t0, y0, args).momentum

    def step(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: Particles, args: Cosmology, solver_state: Array, made_jump: Any
    ) -> tuple[Particles, None, dict[str, Any], Array, Any]:
        """Advance by one step."""
        (D0, D1), (F0, F1) = _growth((t0, t1), args)
        F = growth_momentum(args.growth.scale_factor((D0 + D1) / 2), args)
        first, drift, second = _factors((F - F0) / D0, (D1 - D0) / F, (F1 - F) / D1)
        momentum = y0.momentum + first * solver_state
        displacement = y0.displacement + drift * momentum
        force = _acceleration(terms, t1, displacement, y0, args)
        y1 = Particles(displacement, momentum + second * force)
        return y1, None, {"y0": y0, "y1": y1, "cosmology": args}, force, diffrax.RESULTS.successful
