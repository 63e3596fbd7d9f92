"""Chains: their state, their random numbers, and how they go on after an interruption.

The random numbers of a transition follow from seed, chain and number of the transition, so that a chain that goes on
from a stored state has the same draws as one that was never interrupted.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

__all__ = ["ChainState", "Gradient", "LogDensity", "Sampler", "chain_rng", "run_chain"]

Gradient = Float64[np.ndarray, " dim"]
LogDensity = Callable[[Gradient], tuple[float, Gradient]]
"""Logarithm of a density and its gradient at a position."""

_START = 2**32 - 1
"""Number in place of that of a transition for the random numbers of the start."""


class ChainState(NamedTuple):
    """All that the next transition of a chain depends on, but its random numbers.

    Attributes
    ----------
    position, log_density, gradient
        Where the chain is, with the logarithm of the density and its gradient.
    direction
        Unit velocity of the microcanonical sampler; empty for Hamiltonian Monte Carlo, which draws its momenta.
    step
        Step size of the next transition.
    adaptation
        Sums that the step size is chosen from.
    number, gradients
        Transitions and gradients so far.
    energy_error
        Change of the energy, of a trajectory for Hamiltonian Monte Carlo (infinite where it broke down), or the rms
        per step of the microcanonical sampler over the square root of the number of dimensions.
    """

    position: Float64[np.ndarray, " dim"]
    log_density: float
    gradient: Float64[np.ndarray, " dim"]
    direction: Float64[np.ndarray, " velocity"]
    step: float
    adaptation: Float64[np.ndarray, " sum"]
    number: int
    gradients: int
    energy_error: float

    @classmethod
    def at(
        cls, target: LogDensity, position: Gradient, step: float, adaptation: Float64[np.ndarray, " sum"]
    ) -> "ChainState":
        """State of a chain that starts, without a direction.

        Raises
        ------
        ValueError
            If the density or its gradient is not finite at the position.
        """
        log_density, gradient = target(position)
        if not (np.isfinite(log_density) and np.isfinite(gradient).all()):
            raise ValueError(
                f"the logarithm of the density is {log_density} where the chain starts, or its gradient is not "
                "finite: start nearer to the fiducial"
            )
        return cls(position, log_density, gradient, np.zeros(0), step, adaptation, 0, 1, 0.0)


@runtime_checkable
class Sampler(Protocol):
    """What makes the transitions of a chain."""

    @property
    def warmup(self) -> int:
        """Number of transitions that choose the step size."""

    def start(self, target: LogDensity, position: Gradient) -> ChainState:
        """First state of a chain.

        Parameters
        ----------
        target
            Logarithm of the density and its gradient.
        position
            Where the chain starts.

        Raises
        ------
        ValueError
            If the density or its gradient is not finite there, or there are too few dimensions.
        """

    def transition(self, target: LogDensity, state: ChainState, rng: np.random.Generator) -> ChainState:
        """Next state of a chain.

        Parameters
        ----------
        target
            Logarithm of the density and its gradient.
        state
            Present state.
        rng
            Random numbers of this transition alone.
        """


def chain_rng(seed: int, chain: int, number: int = _START) -> np.random.Generator:
    """Random numbers of a transition of a chain, or of its start.

    Parameters
    ----------
    seed
        Seed of all chains.
    chain
        Number of the chain.
    number
        Number of the transition.
    """
    return np.random.default_rng([seed, chain, number])


def run_chain(
    target: LogDensity, sampler: Sampler, state: ChainState, transitions: int, seed: tuple[int, int]
) -> Iterator[ChainState]:
    """Yield the states of a chain up to a number of transitions in all.

    Parameters
    ----------
    target
        Logarithm of the density and its gradient.
    sampler
        What makes transitions.
    state
        State to go on from.
    transitions
        Number of transitions since the start of the chain, warm-up included.
    seed
        Seed of all chains, and number of this one.
    """
    while state.number < transitions:
        state = sampler.transition(target, state, chain_rng(*seed, state.number))
        yield state
