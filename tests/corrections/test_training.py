"""Training: the loss against what it is made of, its gradient, and what a training promises about its states."""

import dataclasses
from pathlib import Path

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.corrections import HPN, corrected
from lenscast.corrections.network import CORNER, nonlinearity
from lenscast.corrections.particle_power import cross_power, particle_power
from lenscast.corrections.pgd import Band, pgd_displacement
from lenscast.corrections.pgd_fit import fit_pgd
from lenscast.corrections.reference import Refinement, finer, linear_density
from lenscast.corrections.training import initial_state, loss, train
from lenscast.experiment import read_training
from lenscast.gravity import FixedSteps, ParticleMesh, linear_field, lpt, nbody
from lenscast.sections.training import Loss

pytestmark = pytest.mark.slow

MESH = ParticleMesh(box_size=32.0, particles=8)
BEGIN = 0.3
TIMES = jnp.array([BEGIN, 0.5, 1.0])
INTEGRATOR = FixedSteps(kind="bullfrog", steps=3)
CHECKPOINTS = diffrax.RecursiveCheckpointAdjoint()
ALL = Loss(position=10.0, power=0.6, correlation=0.2)  # each counts alike here
SHIPPED = read_training(Path(__file__).parents[2] / "configs/training.yaml")
TRAINING = SHIPPED.model_copy(
    update={
        "references": dict.fromkeys(["first", "second"], SHIPPED.references["cells_of_the_default"]),
        "simulation": SHIPPED.simulation.model_copy(update={"integrator": INTEGRATOR}),
        "loss": ALL,
        "epochs": 4,
        "learning_rate": 0.1,
        "seed": 5,
    }
)
LOSS = jax.jit(loss, static_argnums=(2, 3))
START = jax.jit(lambda key, cosmos: lpt(linear_field(key, cosmos.power, MESH), BEGIN, cosmos, MESH))
LN_SIGMA = jax.jit(lambda cosmos, a: nonlinearity(cosmos, MESH)(jnp.log(a.astype(jnp.float32))))
POWER = jax.jit(lambda position: particle_power(position, 32.0, 16).power)
CORRELATION = jax.jit(lambda first, second: cross_power(first, second, 32.0, 16).correlation)
DISPLACED = jax.jit(lambda position, band: position + pgd_displacement(position, band, MESH))
POSITIONS = jax.jit(
    lambda start, cosmos, correction: nbody(
        start,
        TIMES,
        cosmos,
        corrected(correction, MESH, INTEGRATOR, cosmos),
        save=lambda state: state.position(MESH),
    )
)


@pytest.fixture(scope="module")
def reference(cosmos):
    made = finer(
        START(jax.random.key(1), cosmos), TIMES, cosmos, MESH, Refinement(4, FixedSteps(kind="bullfrog", steps=6))
    )
    return dataclasses.replace(made, weight=2.0)


@pytest.fixture(scope="module")
def references(reference, cosmos):
    """And one of the same phases, as if its structure were twice as far from the mesh's."""
    plain = POSITIONS(reference.start, cosmos, None)
    further = 2 * reference.position - plain
    return {"first": reference, "second": dataclasses.replace(reference, position=further)}


@pytest.fixture(scope="module")
def network(reference, cosmos):
    times = LN_SIGMA(cosmos, TIMES)
    return HPN.initial(jax.random.key(2), (float(times[0]), float(times[-1])))


@pytest.fixture(scope="module")
def states(references, network):
    """After each epoch of a training."""
    return list(train(initial_state(network, references, TRAINING), references, TRAINING))


@pytest.fixture(scope="module")
def corrected_positions(reference, network, cosmos):
    return POSITIONS(reference.start, cosmos, network)


def test_a_simulation_is_its_own_reference(reference, corrected_positions, network):
    around = corrected_positions + 32 * jnp.asarray(
        np.random.default_rng(0).integers(-1, 2, corrected_positions.shape), jnp.float32
    )
    for position in (corrected_positions, jnp.mod(corrected_positions, 32.0), around):
        same = dataclasses.replace(reference, position=position)
        # 1 - r is rounded by 1e-9, and counts in units of 1e-4
        assert abs(LOSS(network, same, INTEGRATOR, ALL)) < 1e-4


def test_the_loss_is_the_sum_of_its_terms(reference, corrected_positions, network):
    expected = np.asarray(reference.position, np.float64)
    apart = np.asarray(corrected_positions, np.float64) - expected
    apart -= 32 * np.round(apart / 32)
    squared = (apart**2).sum(axis=1).mean() / 4.0**2
    power, correlation, weights = [], [], 1 / np.arange(1, 5)  # the mean over ln k to the Nyquist wavenumber
    for ours, theirs in zip(corrected_positions, reference.position, strict=True):
        both = [np.asarray(POWER(each))[:4] for each in (ours, theirs)]
        power.append(np.average(np.log1p((20 * (both[0] / both[1] - 1)) ** 2), weights=weights))
        r = np.asarray(CORRELATION(ours, theirs))[:4]
        correlation.append(np.average(np.log(1 + (1 - r) / 1e-4), weights=weights))
    terms = [squared, np.mean(power), np.mean(correlation)]
    weighted = np.array([10.0, 0.6, 0.2]) * terms
    assert weighted.min() > 0.3 * weighted.max()
    np.testing.assert_allclose(LOSS(network, reference, INTEGRATOR, ALL), 2 * weighted.sum(), rtol=1e-4)


def test_gradients_of_the_loss_match_differences(reference, network):
    leaves, structure = jax.tree.flatten(network)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    direction = jax.tree.unflatten(
        structure, [jax.random.normal(key, x.shape, x.dtype) for x, key in zip(leaves, keys, strict=True)]
    )
    # not where the last layer is 0 and the others do not count
    here = jax.tree.map(lambda x, dot: x + 0.3 * dot, network, direction)
    gradient = jax.jit(jax.grad(loss), static_argnums=(2, 3, 4))(here, reference, INTEGRATOR, ALL, CHECKPOINTS)
    slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    step = 0.01
    ends = [
        LOSS(jax.tree.map(lambda x, d, s=s: x + s * step * d, here, direction), reference, INTEGRATOR, ALL)
        for s in (1, -1)
    ]
    # kinks of forces and of painting
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=0.02)


def test_training_lowers_the_loss(states, references, network):
    before = [float(LOSS(network, each, INTEGRATOR, ALL)) for each in references.values()]
    after = [float(LOSS(states[-1].correction, each, INTEGRATOR, ALL)) for each in references.values()]
    assert len(states) == TRAINING.epochs
    assert sum(after) < 0.95 * sum(before)
    assert states[-1].history.shape == (TRAINING.epochs, 2)
    np.testing.assert_array_equal(states[1].history, states[-1].history[:2])


def test_a_seed_orders_the_references_of_each_epoch(states, references, network):
    orders = [np.random.default_rng([TRAINING.seed, epoch]).permutation(2) for epoch in range(TRAINING.epochs)]
    assert len({tuple(order) for order in orders}) == 2
    for epoch, order in enumerate(orders):
        so_far = states[epoch - 1].correction if epoch else network
        losses = np.array([LOSS(so_far, each, INTEGRATOR, ALL) for each in references.values()])
        off = np.abs(states[-1].history[epoch] / losses - 1)
        # the first one is met by the network as it was, the second one after a step; other programs, in float32
        assert off[order[0]] < 1e-5 < 1e-4 < off[order[1]]


def test_a_resumed_training_goes_on_as_if_not_killed_until_its_loss_is_not_finite(states, references, tmp_path):
    kept, given = tmp_path / "state", dict(references)
    eqx.tree_serialise_leaves(kept, states[1])
    resumed = train(eqx.tree_deserialise_leaves(kept, states[1]), given, TRAINING)
    third = next(resumed)
    assert jax.tree.structure(third) == jax.tree.structure(states[2])
    jax.tree.map(np.testing.assert_array_equal, third, states[2])
    given["second"] = dataclasses.replace(given["second"], position=given["second"].position.at[0, 0, 0].set(jnp.nan))
    message = r"the loss of reference second is nan in epoch 3: lower the learning rate \(0.1\) or look for particles"
    with pytest.raises(FloatingPointError, match=message):
        next(resumed)
    assert list(train(states[-1], references, TRAINING)) == []


def test_a_finer_mesh_sees_what_the_mesh_misses(reference, cosmos):
    assert reference.position.shape == (2, 3, 512)
    plain = POSITIONS(reference.start, cosmos, None)
    coarse, fine = (POWER(each[1]) for each in (plain, reference.position))
    # the softened force slows growth on all scales of so coarse a mesh, most on the smallest
    ratio = np.asarray(fine / coarse)
    assert np.all(ratio[:4] > 1)
    assert ratio[2:4].mean() > ratio[0] + 0.1


def test_a_sharpened_reference_is_denser_on_small_scales(reference, cosmos):
    few = FixedSteps(kind="bullfrog", steps=6)
    sharper = finer(reference.start, TIMES, cosmos, MESH, Refinement(4, few, sharpening=1.0))
    powers = [particle_power(each.position[0], 32.0, 32).power for each in (sharper, reference)]
    ratio = np.asarray(powers[0] / powers[1])
    # a force that is stronger below 4 of the 1 Mpc/h of its mesh hardly moves modes of 32 Mpc/h
    assert abs(ratio[0] - 1) < 0.02
    assert ratio[8:15].mean() > 1.005


def test_the_linear_density_of_a_reference_is_that_of_its_start(reference, cosmos):
    field = np.asarray(linear_field(jax.random.key(1), cosmos.power, MESH))
    found = np.asarray(linear_density(reference))
    # second order, and the Nyquist modes, which have no displacement
    assert np.corrcoef(found.ravel(), field.ravel())[0, 1] > 0.95
    np.testing.assert_allclose(found.std(), field.std(), rtol=0.15)


def test_fitted_displacements_bring_a_known_one_back(reference, cosmos):
    known = Band(*(jnp.float32(value) for value in (-0.25, 0.7, CORNER)))
    plain = POSITIONS(reference.start, cosmos, None)
    moved = jnp.stack([DISPLACED(each, known) for each in plain])
    same = dataclasses.replace(reference, position=moved)
    fit = fit_pgd({"one": same, "again": same}, INTEGRATOR)
    times = LN_SIGMA(cosmos, TIMES)[1:]
    np.testing.assert_allclose(fit.ln_sigma, times, rtol=1e-6)
    for values, expected in zip(fit.bands, known, strict=True):
        # a minimum in float32 positions, flat along changes of all three together
        np.testing.assert_allclose(values, expected, rtol=1e-2)

    for position, wanted in zip(plain, moved, strict=True):
        displaced = DISPLACED(position, Band(*(x[0] for x in fit.bands)))
        was, now, power = (np.asarray(POWER(each))[:4] for each in (position, displaced, wanted))
        assert np.abs(now / power - 1).max() < 0.02 * np.abs(was / power - 1).max()
