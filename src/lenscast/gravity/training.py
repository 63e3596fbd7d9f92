"""Training of a correction against reference simulations that start from the same particles.

References come from an N-body code (`lenscast.io.read_snapshot`) or from the particle mesh itself, on a finer mesh and
with more steps (`finer`). Gradients of the loss go back through the whole solve, by any adjoint of `nbody`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32, Key
from scipy.optimize import minimize

from lenscast.cosmology import Cosmology
from lenscast.gravity.correction import HPN, ForceCorrection, nonlinearity
from lenscast.gravity.initial import linear_field
from lenscast.gravity.lpt import lpt
from lenscast.gravity.matter_power import cross_power
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.nbody import Integrator, nbody
from lenscast.gravity.pgd import PGD, Band, pgd_displacement

__all__ = ["Loss", "Reference", "State", "Training", "finer", "fit_pgd", "initial_state", "loss", "train"]

DECORRELATION = 1e-4
LIKE_NONLINEARITY = 0.35  # in ln sigma


class Reference(eqx.Module):
    """A simulation to be reproduced.

    Attributes
    ----------
    start : particles at a[0].
    position : comoving positions at a[1:] [Mpc/h].
    a : increasing scale factors.
    cosmology : of the simulation.
    mesh : box, number of particles, and the mesh of the simulation that is to reproduce it.
    weight : of its loss in a training.
    """

    start: Particles
    position: Float32[Array, "snapshot 3 particle"]
    a: Float[Array, " time"]
    cosmology: Cosmology
    mesh: ParticleMesh = eqx.field(static=True)
    weight: float = eqx.field(static=True, default=1.0)


@dataclass(frozen=True)
class Loss:
    """Weights of the terms of the loss; each term is a mean over snapshots.

    Attributes
    ----------
    position : of the mean squared distance of particles from their reference, in squared cells.
    power : of the mean of (P / P_ref - 1)^2 over ln k, to the Nyquist wavenumber of the particles.
    correlation : of the mean of ln(1 + (1 - r) / 1e-4) over the same, r = P_x / sqrt(P P_ref) the cross-correlation
        coefficient: the logarithm counts what is gained or lost alike where r is near 1 and where it is not.
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


def finer(
    key: Key[Array, ""],
    a: Float[Array, " time"],
    cosmology: Cosmology,
    mesh: ParticleMesh,
    lpt_order: int,
    mesh_factor: int,
    integrator: Integrator,
) -> Reference:
    """A reference from the particle mesh itself: the same particles on a finer mesh, whose windows are undone.

    Parameters
    ----------
    key : of the linear field.
    a : scale factors: the start, then those of the snapshots.
    cosmology : of the simulation.
    mesh : that is to be trained.
    lpt_order : of the start.
    mesh_factor : mesh points of the reference per particle spacing; 4 or more.
    integrator : of the reference; it needs more steps than what is trained.
    """
    start = lpt(linear_field(key, cosmology.power, mesh), float(a[0]), cosmology, mesh, lpt_order)
    fine = ParticleMesh(mesh.box_size, mesh.particles, mesh_factor, mesh.gradient)
    windows = HPN.initial(jax.random.key(0), (-1.0, 1.0))

    @jax.jit
    def simulated(start: Particles, cosmology: Cosmology) -> Array:
        return nbody(start, a, cosmology, fine, integrator, windows, save=lambda state: state.position(fine))

    return Reference(start, simulated(start, cosmology), a, cosmology, mesh)


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
        power = _mean_over_ln_k((spectra.power / spectra.reference - 1) ** 2, mesh)
        decorrelation = _mean_over_ln_k(jnp.log1p((1 - spectra.correlation) / DECORRELATION), mesh)
        return weights.position * squared + weights.power * power + weights.correlation * decorrelation

    return reference.weight * jnp.mean(jax.lax.map(of_snapshot, (states, reference.position)))


def initial_state(correction: ForceCorrection, references: Mapping[str, Reference], settings: Training) -> State:
    """A training that has not begun."""
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
    adam = _adam(settings, len(references))
    adjoint = adjoint or diffrax.RecursiveCheckpointAdjoint()

    @jax.jit
    def step(correction: ForceCorrection, optimiser: Any, reference: Reference) -> tuple[Any, Any, Array]:
        value, slope = jax.value_and_grad(loss)(correction, reference, settings.integrator, settings.loss, adjoint)
        update, optimiser = adam.update(slope, optimiser)
        return optax.apply_updates(correction, update), optimiser, value

    names = list(references)
    for epoch in range(len(state.history), settings.epochs):
        correction, optimiser, row = state.correction, state.optimiser, np.zeros(len(names))
        for index in np.random.default_rng([settings.seed, epoch]).permutation(len(names)):
            correction, optimiser, value = step(correction, optimiser, references[names[index]])
            row[index] = value
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss of reference {names[index]} is {value} in epoch {epoch}: lower the learning rate "
                    f"({settings.learning_rate}) or look for particles that left the box in that reference"
                )
        state = State(correction, optimiser, np.vstack([state.history, row]))
        yield state


def fit_pgd(references: Mapping[str, Reference], integrator: Integrator) -> PGD:
    """The displacement that brings power spectra nearest to the references.

    One band for the snapshots of like nonlinearity on the scale of the mesh, whatever their cells and redshifts: that
    is how the displacement scales with resolution.

    Parameters
    ----------
    references : by name.
    integrator : of the simulations that are corrected.
    """
    snapshots: list[_Snapshot] = []
    for reference in references.values():
        times = nonlinearity(reference.cosmology, reference.mesh)(jnp.log(reference.a[1:].astype(jnp.float32)))
        for time, *both in zip(times, _positions(reference, integrator), reference.position, strict=True):
            snapshots.append(_Snapshot(float(time), both[0], both[1], reference.mesh))
    groups: list[list[_Snapshot]] = []
    for snapshot in sorted(snapshots, key=lambda each: each.ln_sigma):
        if groups and snapshot.ln_sigma - groups[-1][0].ln_sigma <= LIKE_NONLINEARITY:
            groups[-1].append(snapshot)
        else:
            groups.append([snapshot])
    knots = jnp.asarray([np.mean([each.ln_sigma for each in group]) for group in groups], jnp.float32)
    return PGD(knots, Band(*jnp.asarray([_fitted_band(group) for group in groups], jnp.float32).T))


class _Snapshot(NamedTuple):
    """A snapshot of a simulation, and the same of its reference."""

    ln_sigma: float
    position: Float32[Array, "3 particle"]
    expected: Float32[Array, "3 particle"]
    mesh: ParticleMesh


@partial(jax.jit, static_argnums=1)
def _positions(reference: Reference, integrator: Integrator) -> Float32[Array, "snapshot 3 particle"]:
    """Snapshots of the simulation without a correction."""
    mesh, start = reference.mesh, reference.start
    return nbody(
        start, reference.a, reference.cosmology, mesh, integrator, save=lambda particles: particles.position(mesh)
    )


def _fitted_band(snapshots: Sequence[_Snapshot]) -> tuple[float, ...]:
    """The band whose displacement minimises the mean of (P / P_ref - 1)^2 over ln k and snapshots."""

    def total(values: np.ndarray) -> tuple[float, np.ndarray]:
        each = [_power_and_slope(jnp.asarray(values), *snapshot[1:]) for snapshot in snapshots]
        return float(sum(value for value, _ in each)), np.sum([slope for _, slope in each], axis=0)

    # alpha, and wavenumbers between the largest modes of a mesh and its corner
    bounds = [(-30.0, 5.0), (np.log(0.05), np.log(3.0)), (np.log(0.5), np.log(5.0))]
    begin = np.array([-1.0, 0.0, np.log(2.5)])
    fit = minimize(  # the minimum is flat: 1e-5, the usual bound on its slope, is percents of the power away from it
        total, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-9, "ftol": 1e-12}
    )
    return tuple(float(value) for value in _band(jnp.asarray(fit.x)))


@partial(jax.jit, static_argnums=3)
@jax.value_and_grad
def _power_and_slope(
    values: Float[Array, " 3"],
    position: Float32[Array, "3 particle"],
    expected: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
) -> Float[Array, ""]:
    """What the fit of a band minimises, and its gradient."""
    moved = position + pgd_displacement(position, _band(values), mesh)
    spectra = cross_power(moved, expected, mesh.box_size, 2 * mesh.particles)
    return _mean_over_ln_k((spectra.power / spectra.reference - 1) ** 2, mesh)


def _band(values: Float[Array, " 3"]) -> Band:
    """Band of the variables of the fit, all of order one."""
    return Band(values[0] / 100, jnp.exp(values[1]), jnp.exp(values[2]))


def _mean_over_ln_k(values: Float[Array, " shell"], mesh: ParticleMesh) -> Float[Array, ""]:
    """Mean to the Nyquist wavenumber of the particles; shells are one fundamental mode wide, their weight is 1 / k."""
    weights = 1 / np.arange(1, mesh.particles // 2 + 1)
    return jnp.sum(values[: weights.size] * weights) / weights.sum()


def _adam(settings: Training, references: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(settings.learning_rate, settings.epochs * references))
