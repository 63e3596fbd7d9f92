"""Training of a correction of the force: the loss, and steps of Adam down its gradient.

Gradients go back through the whole solve, by any adjoint of `nbody`; `reference` has what there is to learn from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from lenscast.gravity.correction import ForceCorrection
from lenscast.gravity.matter_power import cross_power, mean_over_ln_k, power_error
from lenscast.gravity.mesh import Particles
from lenscast.gravity.nbody import Integrator, nbody
from lenscast.gravity.reference import Reference

__all__ = ["Loss", "State", "Training", "initial_state", "loss", "train"]

DECORRELATION = 1e-4


@dataclass(frozen=True)
class Loss:
    """Weights of the terms of the loss; each term is a mean over snapshots.

    Attributes
    ----------
    position : of the mean squared distance of particles from their reference, in squared cells.
    power : of `power_error`.
    correlation : of the mean of ln(1 + (1 - r) / 1e-4) over ln k as there, r = P_x / sqrt(P P_ref) the
        cross-correlation coefficient: the logarithm counts what is gained or lost alike where r is near 1 and not.
    """

    position: float
    power: float
    correlation: float


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes
    ----------
    integrator : of the simulations that are trained.
    loss : weights of its terms.
    epochs : passes through all references.
    learning_rate : of Adam at the start; it falls to 0 as a cosine.
    seed : of the order of the references in an epoch.
    """

    integrator: Integrator
    loss: Loss
    epochs: int
    learning_rate: float
    seed: int


class State(eqx.Module):
    """Where a training stands.

    Attributes
    ----------
    correction : as trained so far.
    optimiser : moments of Adam.
    history : losses, one row for each epoch done, in the order of the references.
    """

    correction: ForceCorrection
    optimiser: Any
    history: Float[np.ndarray, "epoch reference"]


def loss(
    correction: ForceCorrection,
    reference: Reference,
    integrator: Integrator,
    weights: Loss,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Float[Array, ""]:
    """How far a corrected simulation is from its reference, times the weight of the reference.

    Parameters
    ----------
    correction : of the force.
    reference : start, snapshots and cosmology.
    integrator : time integration.
    weights : of the terms.
    adjoint : how diffrax differentiates the solve, see `nbody`.
    """
    mesh = reference.mesh
    states = nbody(reference.start, reference.a, reference.cosmology, mesh, integrator, correction, adjoint=adjoint)

    def of_snapshot(pair: tuple[Particles, Array]) -> Float[Array, ""]:
        state, expected = pair
        position = state.position(mesh)
        apart = position - expected
        apart = apart - mesh.box_size * jnp.round(apart / mesh.box_size)
        squared = jnp.mean(jnp.sum(apart**2, axis=0)).astype(jnp.float64) / mesh.cell_size**2
        spectra = cross_power(position, expected, mesh.box_size, 2 * mesh.particles)
        power = power_error(spectra, mesh.particles)
        decorrelation = mean_over_ln_k(jnp.log1p((1 - spectra.correlation) / DECORRELATION), mesh.particles)
        return weights.position * squared + weights.power * power + weights.correlation * decorrelation

    return reference.weight * jnp.mean(jax.lax.map(of_snapshot, (states, reference.position)))


def initial_state(correction: ForceCorrection, references: Mapping[str, Reference], settings: Training) -> State:
    """A training that has not begun.

    Parameters
    ----------
    correction : untrained, or what to begin from.
    references : by name.
    settings : how to train.
    """
    optimiser = _adam(settings, len(references)).init(correction)
    return State(correction, optimiser, np.zeros((0, len(references))))


def train(
    state: State,
    references: Mapping[str, Reference],
    settings: Training,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Iterator[State]:
    """Train to the last epoch, one step of Adam for each reference, and give the state after each epoch.

    Any of these states goes on to the same end, bit for bit: keep the last one to resume a training that was killed.

    Parameters
    ----------
    state : from `initial_state`, or one that was kept.
    references : by name.
    settings : how to train.
    adjoint : how to go back through the solve; recursive checkpointing by default.

    Raises
    ------
    FloatingPointError
        If a loss is not finite; it names the reference and the epoch.
    """
    adjoint, names = adjoint or diffrax.RecursiveCheckpointAdjoint(), list(references)
    for epoch in range(len(state.history), settings.epochs):
        correction, optimiser, row = state.correction, state.optimiser, np.zeros(len(names))
        for index in np.random.default_rng([settings.seed, epoch]).permutation(len(names)):
            reference = references[names[index]]
            correction, optimiser, value = _step(correction, optimiser, reference, settings, len(names), adjoint)
            row[index] = value
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss of reference {names[index]} is {value} in epoch {epoch}: lower the learning rate "
                    f"({settings.learning_rate}) or look for particles that left the box in that reference"
                )
        state = State(correction, optimiser, np.vstack([state.history, row]))
        yield state


@partial(jax.jit, static_argnames=("settings", "references", "adjoint"))
def _step(
    correction: ForceCorrection,
    optimiser: Any,
    reference: Reference,
    settings: Training,
    references: int,
    adjoint: diffrax.AbstractAdjoint,
) -> tuple[ForceCorrection, Any, Float[Array, ""]]:
    """One step of Adam for one of so many references, and the loss before it."""
    value, slope = jax.value_and_grad(loss)(correction, reference, settings.integrator, settings.loss, adjoint)
    update, optimiser = _adam(settings, references).update(slope, optimiser)
    return optax.apply_updates(correction, update), optimiser, value


def _adam(settings: Training, references: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(settings.learning_rate, settings.epochs * references))
