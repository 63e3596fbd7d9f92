"""Chains of the field level: what is kept of each draw, and how a chain goes on after an interruption.

The white noise of a draw is too large to be kept for all draws. Kept are its power in bands of wavenumber, and the
means of the noise over the first and over the second half of the draws. Together they give the variance of the modes of
a band: the product of two independent means has no part of their scatter, which the power of one mean has.

A chain starts with white noise that has nothing to do with the map. The shortest way to a larger density would then be
a cosmology without lensing, from which parameters come back slowly: in the first half of the warm-up they stay where
they start, and the field alone moves. The shortest way of the field would be to fit the map with small scales, on top
of large ones that are wrong, and there it would stay. So the likelihood counts little at first, and large scales, which
it knows best, find their place before the others.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Float64

from lenscast.inference.chain import ChainState, LogDensity, Sampler, chain_rng, run_chain
from lenscast.inference.field_posterior import FieldPosterior
from lenscast.inference.field_targets import FieldDensity
from lenscast.inference.hmc import HMC
from lenscast.inference.mclmc import MCLMC
from lenscast.inference.preconditioner import Preconditioner, curvature
from lenscast.inference.summary_chains import START

# In the first half of the warm-up: power of the likelihood at the start, and when it is 1.
_FIRST_SHARE, _WHOLE = 0.01, 0.7
# Places of the second half where the curvature is measured.
_PLACES = 5

__all__ = ["Bands", "FieldChain", "FieldRun", "begin_field_chain", "field_run", "sample_field", "shared_power"]


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
        State to go on from, in the coordinates of the preconditioner; of the white noise alone before the middle of the
        warm-up.
    preconditioner
        Stretched coordinates; those of the posterior before the middle of the warm-up.
    draws
        Parameters of each draw after the warm-up.
    band_power
        Power of the white noise of each draw, by band.
    log_density, energy_error
        Of each draw.
    halves
        Means of the white noise over the first and the second half of the draws.
    """

    state: ChainState
    preconditioner: Preconditioner
    draws: Float64[np.ndarray, "draw param"]
    band_power: Float64[np.ndarray, "draw band"]
    log_density: Float64[np.ndarray, " draw"]
    energy_error: Float64[np.ndarray, " draw"]
    halves: Float64[np.ndarray, "half x y z"]

    @property
    def mean(self) -> Float64[np.ndarray, "x y z"]:
        """Mean of the white noise over the draws, of which both halves have as many."""
        return np.asarray(self.halves.mean(axis=0))


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

    target: FieldDensity
    sampler: Sampler
    posterior: FieldPosterior
    bands: Bands
    seed: tuple[int, int]


def field_run(target: FieldDensity, posterior: FieldPosterior, seed: tuple[int, int]) -> FieldRun:
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
    size = run.posterior.experiment.simulation.particles
    empty = (np.zeros((0, _parameters(run))), np.zeros((0, len(run.bands.edges) - 1)), np.zeros(0), np.zeros(0))
    start = run.sampler.start(_of_field(run, 0), _start(run)[: run.posterior.modes])
    return FieldChain(start, Preconditioner.none(run.posterior.modes), *empty, np.zeros((2, size, size, size)))


def sample_field(run: FieldRun, begun: FieldChain, draws: int, every: int) -> Iterator[FieldChain]:
    """Yield a chain after each piece of its transitions, up to a number of draws.

    In the first half of the warm-up the parameters stay where they start, and the likelihood comes to count. In the
    middle of it, where the field has come near the posterior, coordinates are stretched by the curvature there, and
    later by the mean curvature of the places where the chain has been since.

    Parameters
    ----------
    run
        What the draws follow from.
    begun
        Chain to go on from.
    draws
        Number of draws after the warm-up, even.
    every
        Transitions of a piece.

    Raises
    ------
    ValueError
        If the number of draws is odd: both halves have as many.
    """
    if draws % 2:
        raise ValueError(f"{draws} draws have no two halves, whose means are kept: give an even number")
    posterior = run.posterior
    parameters = jax.jit(lambda z: posterior.coordinates.parameters(z))  # JAX hashes methods with their arrays
    chain, total, places = begun, run.sampler.warmup + draws, _places(run.sampler.warmup)
    while chain.state.number < total:
        if chain.state.number in places:
            chain = _stretched(run, chain, places.index(chain.state.number))
        last = min([chain.state.number + every, total, *(each for each in places if each > chain.state.number)])
        if chain.state.number < places[0]:
            states = [*_annealed(run, chain.state, last)]
        else:
            states = [*run_chain(chain.preconditioner.target(run.target), run.sampler, chain.state, last, run.seed)]
        chain = chain._replace(state=states[-1])
        kept = [state for state in states if state.number > run.sampler.warmup]
        halves, powers = chain.halves.copy(), []
        positions = [chain.preconditioner.position(state.position) for state in kept]
        for number, position in enumerate(positions, start=len(chain.draws)):
            noise = position[: posterior.modes].reshape(halves.shape[1:])
            half, before = divmod(number, draws // 2)
            halves[half] += (noise - halves[half]) / (before + 1)
            powers.append(run.bands.cross_power(noise, noise))
        if kept:
            values = np.array([parameters(each[posterior.modes :]) for each in positions])
            chain = chain._replace(
                draws=np.concatenate([chain.draws.reshape(-1, values.shape[1]), values]),
                band_power=np.concatenate([chain.band_power.reshape(-1, len(powers[0])), powers]),
                log_density=np.append(chain.log_density, [each.log_density for each in kept]),
                energy_error=np.append(chain.energy_error, [each.energy_error for each in kept]),
                halves=halves,
            )
        yield chain


def _parameters(run: FieldRun) -> int:
    return len(run.posterior.coordinates.names)


def _start(run: FieldRun) -> Float64[np.ndarray, " dim"]:
    """Position where a chain starts."""
    position = chain_rng(*run.seed).standard_normal(run.posterior.modes + _parameters(run))
    position[run.posterior.modes :] *= START
    return position


def _of_field(run: FieldRun, number: int) -> LogDensity:
    """Density of the white noise at a transition of the first half of the warm-up, for the parameters of the start."""
    modes, z = run.posterior.modes, _start(run)[run.posterior.modes :]
    share = _FIRST_SHARE ** max(0.0, 1 - number / (_WHOLE * (run.sampler.warmup // 2)))

    def of_noise(noise: Float64[np.ndarray, " dim"]) -> tuple[float, Float64[np.ndarray, " dim"]]:
        value, gradient = run.target(np.concatenate([noise, z]), share)
        return value, gradient[:modes]

    return of_noise


def _annealed(run: FieldRun, state: ChainState, transitions: int) -> Iterator[ChainState]:
    """Yield the states of a chain of the white noise up to a number of transitions, each of another density."""
    while state.number < transitions:
        target = _of_field(run, state.number)
        log_density, gradient = target(state.position)
        state = state._replace(log_density=log_density, gradient=gradient, gradients=state.gradients + 1)
        (state,) = run_chain(target, run.sampler, state, state.number + 1, run.seed)
        yield state


def _places(warmup: int) -> list[int]:
    """Transitions at which the curvature is measured: the middle of the warm-up, and others after it."""
    middle = warmup // 2
    return [middle + place * (warmup - middle) // _PLACES for place in range(_PLACES)]


def _stretched(run: FieldRun, chain: FieldChain, place: int) -> FieldChain:
    """The chain in coordinates that are stretched by the curvature where it is, and where it was at earlier places.

    At the first place the parameters join the field with the values of the start, and the step size is chosen anew.
    Its curvature is left out of the mean: the parameters are still far from the posterior.
    """
    state, before = chain.state, chain.preconditioner
    position = before.position(state.position)
    if place == 0:
        position = np.concatenate([position, _start(run)[run.posterior.modes :]])
    found, gradients = curvature(run.target, position, chain_rng(*run.seed, state.number))
    stretch = found if place == 0 else before.mixed(found, 1 / place)
    begun = run.sampler.start(stretch.target(run.target), stretch.coordinates(position))
    begun = begun._replace(number=state.number, gradients=state.gradients + gradients + begun.gradients)
    if place > 0:
        begun = begun._replace(step=state.step, adaptation=state.adaptation)
    if place > 0 and state.direction.size:
        direction = stretch.coordinates(before.position(state.direction))
        begun = begun._replace(direction=direction / np.linalg.norm(direction))
    return chain._replace(state=begun, preconditioner=stretch)


def shared_power(chains: Sequence[FieldChain], bands: Bands) -> Float64[np.ndarray, " band"]:
    """Power of the mean of the white noise over a posterior, by band, without that of the scatter of finite chains.

    Parameters
    ----------
    chains
        Chains with as many draws each, whose halves are taken for independent.
    bands
        Bands of wavenumber.
    """
    halves = np.concatenate([each.halves for each in chains])
    total, number = halves.sum(axis=0), len(halves)
    own = np.sum([bands.cross_power(each, each) for each in halves], axis=0)
    return np.asarray((bands.cross_power(total, total) - own) / (number * (number - 1)))
