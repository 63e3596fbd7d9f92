"""Microcanonical Langevin Monte Carlo: a velocity of unit length whose direction slowly forgets where it came from.

Robnik, De Luca, Silverstein & Seljak (2023), arXiv:2212.08549, and Robnik & Seljak (2023), arXiv:2303.18221. A step
takes two gradients. In many dimensions an independent draw takes fewer of them than with Hamiltonian Monte Carlo.

Nothing is rejected, so that the step size decides the bias. A step moves a coordinate by h = step / sqrt(dimensions). A
scheme conserves a density that differs from the target. With the scheme of smallest error that is used here, the
variance of a Gaussian coordinate of width sigma is too large by the factor

    (1 - c x^2 / 4) / (1 - l (1 - l) x^2 + l^2 c x^4 / 4),    x = h / sigma,  l = .1932,  c = 1 - 2 l.

The default error gives h = .95 where all coordinates have unit width, whose variances come out 1 % too small; those of
half that width 12 %. The leapfrog scheme with as many gradients, h = .48, makes them 6 % and 30 % too large.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lenscast.inference.chain import ChainState, LogDensity

__all__ = ["MCLMC"]

# Shares of a step in which the force acts and the position moves: the scheme of second order with the smallest error,
# McLachlan (1995), SIAM J. Sci. Comput. 16, 151; Omelyan, Mryglod & Folk (2003), cond-mat/0110438.
_LAMBDA = 0.1931833275037836
_FORCES, _DRIFTS = (_LAMBDA, 1 - 2 * _LAMBDA, _LAMBDA), (0.5, 0.5)
# The energy error of a second-order scheme grows as step^3, and its square as step^6.
_ORDER = 6
# Steps whose error is far from the target say little of the best step: width of their weights in ln(error^2) / 6, and
# number of steps that the average remembers.
_WIDTH, _MEMORY = 1.5, 150


@dataclass(frozen=True)
class MCLMC:
    """Microcanonical Langevin Monte Carlo.

    Attributes
    ----------
    warmup
        Number of transitions that choose the step size.
    error
        Variance of the energy error of a step over the number of dimensions that the step size is chosen for.
    length
        Length of a transition, in units of sqrt(dimensions).
    memory
        Length over which the direction is forgotten, in the same units, and about the largest width that coordinates
        may have. 1 is best where all have unit width; those of the field level are up to five wide.
    first_step
        Step size of the first step, in units of sqrt(dimensions).
    most_steps
        Largest number of steps of a transition.
    """

    warmup: int
    error: float = 1e-4
    length: float = 1.0
    memory: float = 10.0
    first_step: float = 0.1
    most_steps: int = 256

    def start(self, target: LogDensity, position: Float64[np.ndarray, " dim"]) -> ChainState:
        """First state of a chain, which moves to larger densities; arguments and errors as for `Sampler.start`."""
        if len(position) < 2:
            raise ValueError(f"{len(position)} dimensions: a direction takes 2 or more; use HMC")
        state = ChainState.at(target, position, self.first_step * len(position) ** 0.5, np.zeros(2))
        length = np.linalg.norm(state.gradient)
        unit = np.eye(len(position))[0] if length == 0 else state.gradient / length
        return state._replace(direction=unit)

    def transition(self, target: LogDensity, state: ChainState, rng: np.random.Generator) -> ChainState:
        """Next state of a chain; arguments as for `Sampler.transition`."""
        dimensions = len(state.position)
        length, travelled = self.length * dimensions**0.5, 0.0
        errors: list[float] = []
        is_adapting = state.number < self.warmup
        while travelled < length and len(errors) < self.most_steps:
            step = state.step
            state, error = _step(target, state)
            state = self._adapted(state, error) if is_adapting else state
            travelled += step
            errors.append(error)
            # the direction keeps exp(-step / (memory sqrt(dimensions))) of itself
            forgotten = np.expm1(2 * step / (self.memory * dimensions**0.5))
            noise = rng.standard_normal(dimensions) * (forgotten / dimensions) ** 0.5
            direction = state.direction + noise
            state = state._replace(direction=direction / np.linalg.norm(direction))
        rms = float(np.mean(np.square(errors)) / dimensions) ** 0.5
        return state._replace(number=state.number + 1, energy_error=rms)

    def _adapted(self, state: ChainState, error: float) -> ChainState:
        """State with the step size whose energy error would have the variance that is asked for."""
        dimensions = len(state.position)
        if not np.isfinite(error):
            return state._replace(step=0.5 * state.step)
        ratio = error**2 / (dimensions * self.error) + 1e-8
        weight = np.exp(-0.5 * (np.log(ratio) / (_ORDER * _WIDTH)) ** 2)
        forget = (_MEMORY - 1) / (_MEMORY + 1)
        sums = forget * state.adaptation + weight * np.array([ratio / state.step**_ORDER, 1.0])
        return state._replace(step=float((sums[0] / sums[1]) ** (-1 / _ORDER)), adaptation=sums)


def _step(target: LogDensity, state: ChainState) -> tuple[ChainState, float]:
    """State after a step, and the change of the energy; where the model breaks down, the state turned back."""
    moved, error = state, 0.0
    for share, length in zip(_FORCES, (*_DRIFTS, 0.0), strict=True):
        direction, kinetic = _turned(moved.direction, moved.gradient, share * state.step)
        error += kinetic
        moved = moved._replace(direction=direction)
        if length:
            position = moved.position + length * state.step * direction
            log_density, gradient = target(position)
            moved = moved._replace(gradients=moved.gradients + 1)
            if not (np.isfinite(log_density) and np.isfinite(gradient).all()):
                return state._replace(direction=-state.direction, gradients=moved.gradients), np.inf
            error -= log_density - moved.log_density
            moved = moved._replace(position=position, log_density=log_density, gradient=gradient)
    return moved, float(error)


def _turned(
    direction: Float64[np.ndarray, " dim"], gradient: Float64[np.ndarray, " dim"], step: float
) -> tuple[Float64[np.ndarray, " dim"], float]:
    """Direction after the force acted for a step, and the change of the kinetic energy; exact for a constant force.

    Both exponentials of the solution are divided by the larger one, which may overflow.
    """
    size, rest = float(np.linalg.norm(gradient)), len(direction) - 1
    if size == 0:
        return direction, 0.0
    unit, delta = gradient / size, step * size / rest
    along, small = float(direction @ unit), np.exp(-2 * delta)
    # 2 exp(-delta) (cosh delta + along sinh delta)
    total = (1 + small) + along * (1 - small)
    turned = 2 * np.exp(-delta) * direction + unit * ((1 - small) + along * (1 - np.exp(-delta)) ** 2)
    turned /= total
    return turned / np.linalg.norm(turned), rest * (delta + np.log(total / 2))
