"""Hamiltonian Monte Carlo with a unit mass matrix, and a step size from dual averaging.

Coordinates are to have about unit variance. Positions, momenta and sums are 64-bit and in NumPy: the work is in the
gradient, which the caller compiles once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lenscast.inference.chain import ChainState, Gradient, LogDensity

__all__ = ["HMC"]

# constants of dual averaging, Hoffman & Gelman (2014), arXiv:1111.4246, section 3.2
_GAMMA, _T0, _KAPPA = 0.05, 10.0, 0.75


@dataclass(frozen=True)
class HMC:
    """Hamiltonian Monte Carlo.

    Attributes
    ----------
    warmup
        Number of transitions that choose the step size.
    first_step
        Step size of the first transition.
    path
        Mean length of a trajectory; each has one between half and three halves of it. A quarter of the period of a
        unit Gaussian makes successive draws of it independent.
    acceptance
        Mean acceptance probability that the step size is chosen for, Beskos et al. (2013), arXiv:1001.4460.
    most_steps
        Largest number of steps of a trajectory.
    """

    warmup: int
    first_step: float = 0.5
    path: float = np.pi / 2
    acceptance: float = 0.8
    most_steps: int = 256

    def start(self, target: LogDensity, position: Float64[np.ndarray, " dim"]) -> ChainState:
        """First state of a chain; arguments and errors as for `Sampler.start`."""
        # the last two numbers are Hbar and the logarithm of the averaged step size
        return ChainState.at(target, position, self.first_step, adaptation=np.zeros(2))

    def transition(self, target: LogDensity, state: ChainState, rng: np.random.Generator) -> ChainState:
        """Next state of a chain; arguments as for `Sampler.transition`."""
        momentum, factor, threshold = rng.standard_normal(len(state.position)), rng.uniform(0.5, 1.5), rng.uniform()
        steps = int(np.clip(np.ceil(self.path * factor / state.step), 1, self.most_steps))
        position, log_density, gradient, end = _leapfrog(target, state, momentum, steps)
        # NaN from a model that breaks down is a rejection
        error = state.log_density - log_density + 0.5 * (end @ end - momentum @ momentum)
        error = error if np.isfinite(error) else np.inf
        acceptance = float(np.exp(-max(error, 0.0)))
        moved = state._replace(gradients=state.gradients + steps, number=state.number + 1, energy_error=float(error))
        if threshold < acceptance:
            moved = moved._replace(position=position, log_density=log_density, gradient=gradient)
        return self._adapted(moved, acceptance) if moved.number <= self.warmup else moved

    def _adapted(self, state: ChainState, acceptance: float) -> ChainState:
        """State with the next step size of dual averaging; the averaged one after the last transition of the warm-up.

        Hoffman & Gelman (2014), section 3.2, with mu = log(10 first_step).
        """
        number, (mean, log_averaged) = state.number, state.adaptation
        mean += (self.acceptance - acceptance - mean) / (number + _T0)
        log_step = np.log(10 * self.first_step) - number**0.5 / _GAMMA * mean
        log_averaged += number**-_KAPPA * (log_step - log_averaged)
        chosen = log_averaged if number == self.warmup else log_step
        return state._replace(step=float(np.exp(chosen)), adaptation=np.array([mean, log_averaged]))


def _leapfrog(
    target: LogDensity, state: ChainState, momentum: Gradient, steps: int
) -> tuple[Gradient, float, Gradient, Gradient]:
    """Position, log density, gradient and momentum at the end of a trajectory; it stops where it is not finite."""
    position, gradient, log_density = state.position, state.gradient, state.log_density
    for _ in range(steps):
        momentum = momentum + 0.5 * state.step * gradient
        position = position + state.step * momentum
        log_density, gradient = target(position)
        momentum = momentum + 0.5 * state.step * gradient
        if not np.isfinite(log_density):
            break
    return position, log_density, gradient, momentum
