r"""Growth-matched fixed-step integrators, as diffrax solvers.

A step of FastPM reproduces the Zel'dovich solution exactly. A step of BullFrog reproduces velocities of second-order
Lagrangian perturbation theory too. A dozen steps do what a plain leapfrog needs hundreds for.

Convention: the state of a solve is a pair of arrays, displacement and momentum (`State`). What diffrax calls the vector
field is here the pair of momentum and acceleration -grad phi at that state (`DriftKick`). These are no derivatives with
respect to time: the solvers multiply both by the growth over a step. Cosmology comes through ``args``. Between steps
the displacement is a cubic in D1. Growth factors are in double precision, arrays of particles in single.
"""

from abc import abstractmethod
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
from lenscast.numerics.fusion import computed_once

Scalar = Float[Array, ""]

State = tuple[Float32[Array, "3 particle"], Float32[Array, "3 particle"]]
"""Displacement [Mpc/h] and momentum [H0 Mpc/h], as in `Particles`."""

DriftKick = tuple[Float32[Array, "3 particle"], Float32[Array, "3 particle"]]
"""Momentum [H0 Mpc/h], which a drift multiplies, and acceleration -grad phi [Mpc/h], which a kick multiplies."""


def growth_momentum(a: Float[Array, "*shape"], cosmology: Cosmology) -> Float[Array, "*shape"]:
    """F = a^3 E dD1/da: momentum p = a^2 dx/dt of a Zel'dovich displacement D1, in units of H0."""
    return a**3 * expansion(a, cosmology.parameters) * cosmology.growth.dD1_da(a)


class _Growth(NamedTuple):
    """Linear growth and growth momentum at several times, in double precision."""

    D: Float[Array, " time"]
    F: Float[Array, " time"]


def _growth(times: Sequence[Any], cosmology: Cosmology) -> _Growth:
    """Growth at several times; a table costs as much compilation for one time as for many."""
    a = jnp.stack([jnp.asarray(t, jnp.float64) for t in times])
    return _Growth(cosmology.growth.D1(a), growth_momentum(a, cosmology))


class GrowthInterpolation(AbstractLocalInterpolation):
    """Cubic Hermite interpolation of the displacement in the linear growth factor.

    Attributes
    ----------
    t0, t1
        Scale factors of both ends of the step.
    y0, y1
        States at both ends.
    cosmology
        Growth and expansion.
    """

    t0: Scalar  # type: ignore[misc]  # abstract in diffrax, which mypy takes for a class variable
    t1: Scalar  # type: ignore[misc]
    y0: State
    y1: State
    cosmology: Cosmology

    def evaluate(self, t0: Scalar, t1: Scalar | None = None, left: bool = True) -> State:
        """State at t0, or its change from t0 to t1.

        Parameters
        ----------
        t0, t1
            Scale factors.
        left
            Ignored: the interpolant is continuous.
        """
        if t1 is not None:
            start, end = self.evaluate(t0), self.evaluate(t1)
            return end[0] - start[0], end[1] - start[1]
        (D0, D, D1), (F0, F, F1) = _growth((self.t0, t0, self.t1), self.cosmology)
        width = D1 - D0
        s = (D - D0) / width
        ends = (self.y0[0], self.y1[0], self.y0[1], self.y1[1])
        # dx/dD = p / F: the Hermite cubic takes displacements x0 and x1 and slopes p0 width / F0 and p1 width / F1.
        value = ((1 + 2 * s) * (1 - s) ** 2, s**2 * (3 - 2 * s))
        slope = (s * (1 - s) ** 2 * width / F0, s**2 * (s - 1) * width / F1)
        # Its derivative dx/dD times F is the momentum, so that states between steps are consistent.
        value_rate = (-6 * s * (1 - s) * F / width, 6 * s * (1 - s) * F / width)
        slope_rate = ((1 - s) * (1 - 3 * s) * F / F0, s * (3 * s - 2) * F / F1)
        factors = _factors(*value, *slope, *value_rate, *slope_rate)
        return _combine(factors[:4], ends), _combine(factors[4:], ends)


def _factors(*factors: Scalar) -> Float32[Array, " factor"]:
    """Factors of arrays of particles, written to memory so that XLA does not compute them again for each particle."""
    return computed_once(jnp.stack(factors).astype(jnp.float32))


def _combine(factors: Sequence[Array] | Float32[Array, " array"], arrays: tuple[Array, ...]) -> Array:
    """Linear combination of arrays, each with its factor."""
    return reduce(add, (factor * array for factor, array in zip(factors, arrays, strict=True)))


def _acceleration(terms: Any, t: Scalar, displacement: Array, momentum: Array, cosmology: Cosmology) -> Array:
    """Acceleration at a displacement; the momentum completes the state and does not change the acceleration."""
    momentum_and_acceleration: DriftKick = terms.vf(t, (displacement, momentum), cosmology)
    return momentum_and_acceleration[1]


class _GrowthMatched(AbstractSolver):
    """What the growth-matched solvers share: diffrax calls `step`, and they say with `advance` what it does."""

    term_structure: ClassVar = AbstractTerm
    interpolation_cls: ClassVar[Callable[..., GrowthInterpolation]] = GrowthInterpolation

    def order(self, terms: Any) -> int:
        """Order of the error of a solve in the width of its steps."""
        return 2

    def func(self, terms: Any, t0: Scalar, y0: State, args: Cosmology) -> DriftKick:
        """Momentum and acceleration."""
        return terms.vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: State, args: Cosmology, solver_state: Any, made_jump: Any
    ) -> tuple[State, None, dict[str, Any], Any, Any]:
        """Advance by one step; the signature is that of diffrax."""
        y1, solver_state = self.advance(terms, t0, t1, y0, args, solver_state)
        return y1, None, {"y0": y0, "y1": y1, "cosmology": args}, solver_state, diffrax.RESULTS.successful

    @abstractmethod
    def advance(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: State, cosmology: Cosmology, solver_state: Any
    ) -> tuple[State, Any]:
        """State at t1, and what the solver passes to its next step."""


class BullFrog(_GrowthMatched):
    """Drift-kick-drift steps in the growth factor whose velocities follow second-order perturbation theory.

    Notes
    -----
    One force per step. In D = D1 with Pi = dx/dD = p / F and the acceleration A: x' = x + (Dm - D0) Pi,
    Pi1 = alpha Pi + beta A(x'), x1 = x' + (D1 - Dm) Pi1. Zel'dovich displacements are exact. Displacements of second
    order are accurate to the trapezoidal rule, which is exact where D2 is quadratic in D1.

    References
    ----------
    Rampf, List & Hahn (2024), arXiv:2409.19049.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: State, args: Cosmology) -> None:
        """State of the solver: none, as only the particles pass from step to step."""
        return None

    def advance(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: State, cosmology: Cosmology, solver_state: None
    ) -> tuple[State, None]:
        """State at t1."""
        displacement, momentum = y0
        (D0, D1), (F0, F1) = _growth((t0, t1), cosmology)
        half, (alpha, beta) = (D1 - D0) / 2, bullfrog_factors(t0, t1, cosmology)
        # Pi = p / F: the drifts divide by F, the kick multiplies by the F of the end
        first, *kick, second = _factors(half / F0, alpha * F1 / F0, beta * F1, half / F1)
        middle = displacement + first * momentum
        # The middle of a step is that of D1, not of a; the time matters to a correction that depends on a.
        time = cosmology.growth.scale_factor(D0 + half).astype(t0.dtype)
        momentum = _combine(kick, (momentum, _acceleration(terms, time, middle, momentum, cosmology)))
        return (middle + second * momentum, momentum), None


def bullfrog_factors(t0: Scalar, t1: Scalar, cosmology: Cosmology) -> tuple[Scalar, Scalar]:
    """Factors alpha of the old velocity dx/dD1 and beta of the acceleration in the kick of a BullFrog step.

    Notes
    -----
    alpha + beta Dm = 1 keeps Zel'dovich velocities. alpha E'(D0) + beta (Em - Dm^2) = E'(D1) gives those of second
    order, where E(D1) = D2, Dm = (D0 + D1) / 2, and Em = E(D0) + E'(D0) (Dm - D0) is the second-order displacement
    after the first drift.

    References
    ----------
    Rampf, List & Hahn (2024), arXiv:2409.19049.
    """
    a = jnp.stack([jnp.asarray(t, jnp.float64) for t in (t0, t1)])
    growth = cosmology.growth
    (start, end), D1 = growth.dD2_dD1(a), growth.D1(a)
    middle, half = (D1[0] + D1[1]) / 2, (D1[1] - D1[0]) / 2
    # with beta = (1 - alpha) / Dm the second condition is alpha E'(D0) + (1 - alpha) zeta = E'(D1), zeta = Em / Dm - Dm
    zeta = (growth.D2(a)[0] + start * half) / middle - middle
    alpha = (end - zeta) / (start - zeta)
    return alpha, (1 - alpha) / middle


class FastPM(_GrowthMatched):
    """Kick-drift-kick steps that follow the Zel'dovich solution exactly.

    Notes
    -----
    One force per step: the force of the last kick is the first force of the next step.

    Drift by (D1 - D0) / F(am), kick by (Fm - F0) / D(a0) and (F1 - Fm) / D(a1), with F = a^3 E dD1/da and D(am) the
    middle of D0 and D1. By the growth equation dF/da = (3/2) Omega_m D1 / (a^2 E) for any dark energy, so that these
    are the kicks (3/2) Omega_m dF / (F' a^2 E) of the reference.

    References
    ----------
    Feng et al. (2016), arXiv:1603.00476.
    """

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: State, args: Cosmology) -> Array:
        """State of the solver: the acceleration at the start."""
        momentum_and_acceleration: DriftKick = terms.vf(t0, y0, args)
        return momentum_and_acceleration[1]

    def advance(
        self, terms: Any, t0: Scalar, t1: Scalar, y0: State, cosmology: Cosmology, solver_state: Array
    ) -> tuple[State, Array]:
        """State at t1, and the acceleration there."""
        displacement, momentum = y0
        (D0, D1), (F0, F1) = _growth((t0, t1), cosmology)
        F = growth_momentum(cosmology.growth.scale_factor((D0 + D1) / 2), cosmology)
        # A Zel'dovich particle has the acceleration D x constant: dividing a kick by the D of its force makes it exact.
        first, drift, second = _factors((F - F0) / D0, (D1 - D0) / F, (F1 - F) / D1)
        middle_momentum = momentum + first * solver_state
        displacement = displacement + drift * middle_momentum
        force = _acceleration(terms, t1, displacement, momentum, cosmology)
        return (displacement, middle_momentum + second * force), force
