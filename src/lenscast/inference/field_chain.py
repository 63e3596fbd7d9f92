"""Chains of the field level: what is kept of each draw, and how a chain goes on after an interruption.

The white noise of a draw is too large to be kept for all draws. Kept are its power in bands of wavenumber, and the mean
of the noise over the draws; both together give the variance of the modes of a band.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Float64

from lenscast.inference.chain import ChainState, LogDensity, Sampler, chain_rng, run_chain
from lenscast.inference.field_posterior import FieldPosterior
from lenscast.inference.hmc import HMC
from lenscast.inference.mclmc import MCLMC
from lenscast.inference.preconditioner import Preconditioner, curvature
from lenscast.inference.summary_chains import START

__all__ = ["Bands", "FieldChain", "FieldRun", "begin_field_chain", "field_run", "sample_field"]


class Bands:
    """Bands of wavenumber of a mesh, of equal width in ln k from the fundamental mode to the Nyquist wavenumber.

    Parameters
    ----------
    size
        Points per side of the mesh.
    box_size
        Side of the box [Mpc/h].
    number
        Number of bands.
    """

    def __init__(self, size: int, box_size: float, number: int = 6) -> None:
        full, half = np.fft.fftfreq(size, 1 / size), np.fft.rfftfreq(size, 1 / size)
        k = np.sqrt(full[:, None, None] ** 2 + full[None, :, None] ** 2 + half[None, None] ** 2)
        self.edges = np.geomspace(1, size / 2, number + 1) * 2 * np.pi / box_size
        """Edges of the bands [h/Mpc]."""
        self._band = np.digitize(k, np.geomspace(1 - 1e-9, size / 2, number + 1)).ravel()
        # of two modes with opposite wavenumbers a real transform has one, but for those with k_z = 0 and Nyquist
        twice = np.where((half == 0) | (half == size / 2), 1.0, 2.0)
        self._weight = np.broadcast_to(twice, k.shape).ravel()
        self._number, self._volume = number, size**3
        if not self._summed(np.ones(k.size)).all():
            raise ValueError(f"{number} bands on a mesh of {size} points per side: some have no mode; use fewer")

    def cross_power(
        self, one: Float[np.ndarray, "x y z"], other: Float[np.ndarray, "x y z"]
    ) -> Float64[np.ndarray, " band"]:
        """Mean over the modes of each band of Re(a_k b_k^*), 1 for white noise of unit variance with itself."""
        modes = [np.fft.rfftn(each.astype(np.float64)).ravel() for each in (one, other)]
        product = (modes[0] * modes[1].conj()).real / self._volume
        return self._summed(product) / self._summed(np.ones(len(product)))

    def _summed(self, values: Float64[np.ndarray, " wavevector"]) -> Float64[np.ndarray, " band"]:
        """Sums over the modes of each band; the first and the last bin are outside of all bands."""
        return np.bincount(self._band, self._weight * values, self._number + 2)[1:-1]


class FieldChain(NamedTuple):
    """A chain of the field level, as far as it has come.

    Attributes
    ----------
    state
        State to go on from, in the coordinates of the preconditioner.
    preconditioner
        Coordinates of about unit width; those of the posterior before the middle of the warm-up.
    draws
        Parameters of each draw after the warm-up.
    band_power
        Power of the white noise of each draw, by band.
    log_density, energy_error
        Of each draw.
    mean
        Mean of the white noise over the draws.
    """

    state: ChainState
    preconditioner: Preconditioner
    draws: Float64[np.ndarray, "draw param"]
    band_power: Float64[np.ndarray, "draw band"]
    log_density: Float64[np.ndarray, " draw"]
    energy_error: Float64[np.ndarray, " draw"]
    mean: Float64[np.ndarray, "x y z"]


class FieldRun(NamedTuple):
    """What the draws of a chain follow from.

    Attributes
    ----------
    target
        Logarithm of the density and its gradient.
    sampler
        What makes transitions.
    posterior
        What is sampled.
    bands
        Bands of the power that is kept.
    seed
        Seed of all chains, and number of this one.
    """

    target: LogDensity
    sampler: Sampler
    posterior: FieldPosterior
    bands: Bands
    seed: tuple[int, int]


def field_run(target: LogDensity, posterior: FieldPosterior, seed: tuple[int, int]) -> FieldRun:
    """A run with the sampler and the box of the experiment.

    Parameters
    ----------
    target
        Logarithm of the density and its gradient.
    posterior
        What is sampled.
    seed
        Seed of all chains, and number of this one.
    """
    section, simulation = posterior.experiment.field_level, posterior.experiment.simulation
    kind = MCLMC if section.sampler == "mclmc" else HMC
    return FieldRun(target, kind(section.warmup), posterior, Bands(simulation.particles, simulation.box_size), seed)


def begin_field_chain(run: FieldRun) -> FieldChain:
    """A chain without draws: white noise from its prior, and coordinates that start twice as far apart as expected.

    Parameters
    ----------
    run
        What the draws follow from.
    """
    posterior = run.posterior
    parameters, size = len(posterior.coordinates.names), posterior.experiment.simulation.particles
    position = chain_rng(*run.seed).standard_normal(posterior.modes + parameters)
    position[posterior.modes :] *= START
    empty = (np.zeros((0, parameters)), np.zeros((0, len(run.bands.edges) - 1)), np.zeros(0), np.zeros(0))
    start = run.sampler.start(run.target, position)
    return FieldChain(start, Preconditioner.none(len(position)), *empty, np.zeros((size, size, size)))


def sample_field(run: FieldRun, begun: FieldChain, draws: int, every: int) -> Iterator[FieldChain]:
    """Yield a chain after each piece of its transitions, up to a number of draws.

    In the middle of the warm-up, where the chain has come near the posterior, its coordinates are stretched by the
    curvature at its place.

    Parameters
    ----------
    run
        What the draws follow from.
    begun
        Chain to go on from.
    draws
        Number of draws after the warm-up.
    every
        Transitions of a piece.
    """
    posterior = run.posterior
    parameters = jax.jit(lambda z: posterior.coordinates.parameters(z))  # JAX hashes methods with their arrays
    chain, total, middle = begun, run.sampler.warmup + draws, run.sampler.warmup // 2
    while chain.state.number < total:
        if chain.state.number == middle:
            chain = _stretched(run, chain)
        last = min(chain.state.number + every, total if chain.state.number >= middle else middle)
        target = chain.preconditioner.target(run.target)
        states = [*run_chain(target, run.sampler, chain.state, last, run.seed)]
        chain = chain._replace(state=states[-1])
        kept = [state for state in states if state.number > run.sampler.warmup]
        mean, powers = chain.mean, []
        positions = [chain.preconditioner.position(state.position) for state in kept]
        for number, position in enumerate(positions, start=len(chain.draws) + 1):
            noise = position[: posterior.modes].reshape(mean.shape)
            mean = mean + (noise - mean) / number
            powers.append(run.bands.cross_power(noise, noise))
        if kept:
            values = np.array([parameters(each[posterior.modes :]) for each in positions])
            chain = chain._replace(
                draws=np.concatenate([chain.draws.reshape(-1, values.shape[1]), values]),
                band_power=np.concatenate([chain.band_power.reshape(-1, len(powers[0])), powers]),
                log_density=np.append(chain.log_density, [each.log_density for each in kept]),
                energy_error=np.append(chain.energy_error, [each.energy_error for each in kept]),
                mean=mean,
            )
        yield chain


def _stretched(run: FieldRun, chain: FieldChain) -> FieldChain:
    """The chain in the coordinates of the curvature at its place, where the choice of the step begins again."""
    state = chain.state
    found, gradients = curvature(run.target, state.position, chain_rng(*run.seed, state.number))
    begun = run.sampler.start(found.target(run.target), found.coordinates(state.position))
    counted = state.gradients + gradients + begun.gradients
    return chain._replace(state=begun._replace(number=state.number, gradients=counted), preconditioner=found)
