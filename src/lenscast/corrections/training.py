"""Training of a correction of the force: the loss, and steps of Adam down its gradient.

Gradients go back through the whole solve, by any adjoint of `nbody`. `reference` has the simulations to learn from. The
sections `Training` and `Loss` of `lenscast.sections.training` say how a correction is trained.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from lenscast.corrections.network import HPN, ForceCorrection
from lenscast.corrections.particle_power import cross_power, mean_over_ln_k, power_error
from lenscast.corrections.published import PublishedHPN
from lenscast.corrections.reference import Reference, linear_density
from lenscast.gravity.mesh import Particles
from lenscast.gravity.nbody import nbody
from lenscast.sections.box import Integrator
from lenscast.sections.training import HPNNetwork, Loss, Training

DECORRELATION = 1e-4  # of 1 - r: below it, improvements hardly count


class State(eqx.Module):
    """State of a training after some epochs.

    Attributes
    ----------
    correction
        Correction as trained so far.
    optimiser
        Moments of Adam.
    history
        Losses, one row for each finished epoch, in the order of the references.
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
    """Distance of a corrected simulation from its reference, times the weight of the reference.

    Each term is a mean over snapshots. The term of the correlation is the mean of ln(1 + (1 - r) / 1e-4) over ln k up
    to the Nyquist wavenumber of the particles, with the cross-correlation coefficient r = P_x / sqrt(P P_ref). The
    logarithm counts relative changes of 1 - r alike, whether r is near 1 or not.

    Parameters
    ----------
    correction
        Correction of the force.
    reference
        Start, snapshots and cosmology.
    integrator
        Time integration.
    weights
        Weights of the terms.
    adjoint
        How diffrax differentiates the solve, see `nbody`.
    """
    mesh = reference.mesh
    method = correction.method(mesh, integrator, reference.cosmology, field=linear_density(reference))
    # whole states, as `BacksolveAdjoint` needs them
    states = nbody(reference.start, reference.a, reference.cosmology, method, adjoint=adjoint)

    def snapshot_loss(pair: tuple[Particles, Array]) -> Float[Array, ""]:
        state, expected = pair
        position = state.position(mesh)
        distance = position - expected
        distance = distance - mesh.box_size * jnp.round(distance / mesh.box_size)  # to the nearest periodic image
        squared = jnp.mean(jnp.sum(distance**2, axis=0)).astype(jnp.float64) / mesh.cell_size**2
        # a mesh of twice the particles per side keeps aliasing small up to their Nyquist wavenumber
        spectra = cross_power(position, expected, mesh.box_size, 2 * mesh.particles)
        power = power_error(spectra, mesh.particles)
        decorrelation = mean_over_ln_k(jnp.log1p((1 - spectra.correlation) / DECORRELATION), mesh.particles)
        return weights.position * squared + weights.power * power + weights.correlation * decorrelation

    # `lax.map` holds the meshes of one snapshot at a time in memory
    return reference.weight * jnp.mean(jax.lax.map(snapshot_loss, (states, reference.position)))


def untrained(training: Training) -> ForceCorrection:
    """The network of a training before it begins."""
    key = jax.random.key(training.seed)
    if isinstance(training.network, HPNNetwork):
        return HPN.initial(key, training.network.ln_sigma_range, training.network.width)
    return PublishedHPN.initial(key)


def initial_state(correction: ForceCorrection, references: Mapping[str, Reference], training: Training) -> State:
    """State of a training that has not begun."""
    optimiser = _adam(training, len(references)).init(correction)
    return State(correction, optimiser, np.zeros((0, len(references))))


def train(
    state: State,
    references: Mapping[str, Reference],
    training: Training,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> Iterator[State]:
    """Train to the last epoch, one step of Adam for each reference, and yield the state after each epoch.

    A training that resumes from any of these states ends with the same bits: keep the last one in case the job is
    killed.

    Parameters
    ----------
    state
        State to go on from: that of `initial_state`, or a kept one.
    references
        Reference simulations by name.
    training
        How to train.
    adjoint
        How diffrax differentiates the solve; recursive checkpointing by default.

    Raises
    ------
    FloatingPointError
        If a loss is not finite; it names the reference and the epoch.
    """
    adjoint, names = adjoint or diffrax.RecursiveCheckpointAdjoint(), list(references)
    for epoch in range(len(state.history), training.epochs):
        correction, optimiser, row = state.correction, state.optimiser, np.zeros(len(names))
        # order and steps from seed and epoch alone, so that a resumed training continues the same sequence
        random = np.random.default_rng([training.seed, epoch])
        order, drawn = random.permutation(len(names)), random.random(len(names))
        for index in order:
            reference, choices = references[names[index]], training.integrators(names[index])
            integrator = choices[int(drawn[index] * len(choices))]
            correction, optimiser, value = _step(
                correction, optimiser, reference, training, integrator, len(names), adjoint
            )
            row[index] = value
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss of reference {names[index]} is {value} in epoch {epoch}: lower the learning rate "
                    f"({training.learning_rate}) or look for particles that left the box in that reference"
                )
        state = State(correction, optimiser, np.vstack([state.history, row]))
        yield state


@partial(jax.jit, static_argnames=("training", "integrator", "references", "adjoint"))
def _step(
    correction: ForceCorrection,
    optimiser: Any,
    reference: Reference,
    training: Training,
    integrator: Integrator,
    references: int,
    adjoint: diffrax.AbstractAdjoint,
) -> tuple[ForceCorrection, Any, Float[Array, ""]]:
    """One step of Adam, and the loss before it; `references` is their number, which the learning rate depends on."""
    value, slope = jax.value_and_grad(loss)(correction, reference, integrator, training.loss, adjoint)
    update, optimiser = _adam(training, references).update(slope, optimiser)
    return optax.apply_updates(correction, update), optimiser, value


def _adam(training: Training, references: int) -> optax.GradientTransformation:
    """Adam with a learning rate that falls to 0 over all steps of the training."""
    return optax.adam(optax.cosine_decay_schedule(training.learning_rate, training.epochs * references))
