"""Samplers compared with densities that are known exactly, and with those of BlackJAX and NumPyro."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lenscast.inference import HMC, MCLMC, ChainState, chain_rng, run_chain
from lenscast.inference.mclmc import _LAMBDA, _step, _turned
from lenscast.inference.preconditioner import Preconditioner, curvature

DIMENSIONS, WARMUP, DRAWS = 20, 150, 1000
VARIANCE = np.linspace(0.3, 1.0, DIMENSIONS)
MEAN = np.linspace(-1.0, 1.0, DIMENSIONS)


def gaussian(position):
    """Independent Gaussian coordinates."""
    offset = position - MEAN
    return float(-0.5 * np.sum(offset**2 / VARIANCE)), -offset / VARIANCE


def chain(target, sampler, number, transitions=WARMUP + DRAWS):
    start = sampler.start(target, 2 * chain_rng(0, number).standard_normal(DIMENSIONS))
    return [*run_chain(target, sampler, start, transitions, (0, number))]


def widening(x):
    """Variance of a Gaussian coordinate that steps of `x` widths conserve, over its own."""

    def one(x):
        kicks = [np.array([[1, 0], [-share * x, 1]]) for share in (_LAMBDA, 1 - 2 * _LAMBDA, _LAMBDA)]
        drift = np.array([[1, x / 2], [0, 1]])
        step = kicks[2] @ drift @ kicks[1] @ drift @ kicks[0]
        return -step[0, 1] / step[1, 0]

    return np.array([one(each) if each else 1 for each in x])


def test_the_error_of_the_scheme_is_that_of_its_docstring():
    x, c = np.array([0.95, 1.9]), 1 - 2 * _LAMBDA
    formula = (1 - c * x**2 / 4) / (1 - _LAMBDA * (1 - _LAMBDA) * x**2 + _LAMBDA**2 * c * x**4 / 4)
    np.testing.assert_allclose(widening(x), formula, rtol=1e-12)
    np.testing.assert_allclose(widening(x), [0.995, 0.88], atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [HMC(WARMUP), MCLMC(WARMUP, memory=1.0)], ids=["hmc", "mclmc"])
def test_draws_of_a_gaussian_have_its_means_and_variances(sampler):
    states = [state for number in range(2) for state in chain(gaussian, sampler, number)[WARMUP:]]
    draws = np.array([state.position for state in states])
    # almost independent: 2000 draws give means to .02 sigma and variances to 3 %, here of twenty coordinates
    np.testing.assert_allclose(draws.mean(axis=0) / VARIANCE**0.5, MEAN / VARIANCE**0.5, atol=0.1)
    np.testing.assert_allclose(draws.var(axis=0) / VARIANCE, 1, atol=0.15)
    # the scheme of MCLMC has a known error; HMC rejects what it gets wrong
    h = (states[-1].step / DIMENSIONS**0.5) if isinstance(sampler, MCLMC) else 0
    assert np.mean(draws.var(axis=0) / VARIANCE / widening(h / VARIANCE**0.5)) == pytest.approx(1, abs=0.03)
    assert len({state.step for state in states}) == 2  # after the warm-up the step size stays


@pytest.mark.slow
def test_directions_last_long_enough_to_cross_wide_coordinates():
    width = np.where(np.arange(200) % 4, 1.0, 5.0)

    def wide(position):
        return float(-0.5 * np.sum((position / width) ** 2)), -position / width**2

    def transitions_per_draw(sampler):
        """Variance of the means of the 50 wide coordinates over that of independent draws."""
        start = sampler.start(wide, 2 * width * chain_rng(0, 0).standard_normal(200))
        states = [*run_chain(wide, sampler, start, WARMUP + DRAWS, (0, 0))][WARMUP:]
        draws = np.array([state.position for state in states])[:, ::4] / 5
        assert draws.var(axis=0).mean() == pytest.approx(1, abs=0.1)
        return len(draws) * np.mean(draws.mean(axis=0) ** 2)

    # 50 coordinates tell these numbers to a fifth
    assert transitions_per_draw(MCLMC(WARMUP)) < 10
    assert transitions_per_draw(MCLMC(WARMUP, memory=1.0)) > 20


def test_hmc_draws_have_the_distribution_of_a_density_that_is_not_gaussian():
    def logistic(position):
        return float(np.sum(-position - 2 * np.log1p(np.exp(-position)))), -np.tanh(position / 2)

    draws = np.array([state.position for state in chain(logistic, HMC(WARMUP), 0)[WARMUP:]])
    # every fifth draw is independent of the one before; coordinates are independent. Another rounding gives other draws
    assert stats.kstest(draws[::5].ravel(), stats.logistic.cdf).pvalue > 1e-4


def test_step_sizes_meet_what_they_are_chosen_for():
    states = chain(gaussian, HMC(WARMUP), 0)[WARMUP:]
    acceptance = np.mean([np.exp(-max(state.energy_error, 0)) for state in states])
    assert acceptance == pytest.approx(0.8, abs=0.1)
    errors = [state.energy_error for state in chain(gaussian, MCLMC(WARMUP, memory=1.0), 0)[WARMUP:]]
    # the average over steps near the end of the warm-up is noisy; the variance grows as step^6
    assert np.mean(np.square(errors)) == pytest.approx(1e-4, rel=0.5)


@pytest.mark.parametrize("sampler", [HMC(30), MCLMC(30)], ids=["hmc", "mclmc"])
def test_a_chain_that_goes_on_from_a_stored_state_has_the_same_draws(sampler):
    whole = chain(gaussian, sampler, 1, transitions=50)
    for stop in (10, 40):  # within the warm-up, and after it
        stored = ChainState(*(np.array(each).copy() for each in whole[stop - 1]))
        stored = stored._replace(
            **{
                name: getattr(stored, name).item()
                for name in ("log_density", "step", "number", "gradients", "energy_error")
            }
        )
        rest = [*run_chain(gaussian, sampler, stored, 50, (0, 1))]
        np.testing.assert_array_equal([state.position for state in rest], [state.position for state in whole[stop:]])


def test_chains_start_apart_and_follow_their_seed():
    starts = [chain_rng(*each).standard_normal(3) for each in ((0, 0), (0, 1), (1, 0))]
    assert not np.allclose(starts[0], starts[1])
    assert not np.allclose(starts[0], starts[2])
    np.testing.assert_array_equal(starts[0], chain_rng(0, 0).standard_normal(3))


@pytest.mark.parametrize("sampler", [HMC(50), MCLMC(50)], ids=["hmc", "mclmc"])
def test_a_model_that_breaks_down_somewhere_is_never_entered(sampler):
    def half(position):
        value, gradient = gaussian(position)
        return (value, gradient) if position[0] < 0 else (np.nan, np.full(DIMENSIONS, np.nan))

    start = sampler.start(half, -np.ones(DIMENSIONS))
    states = [*run_chain(half, sampler, start, 400, (0, 0))]
    assert all(state.position[0] < 0 and np.isfinite(state.log_density) for state in states)
    assert any(np.isinf(state.energy_error) for state in states)
    assert len({state.position[0] for state in states[-100:]}) > 20


@pytest.mark.parametrize("sampler", [HMC(10), MCLMC(10)], ids=["hmc", "mclmc"])
def test_a_start_without_a_density_is_refused(sampler):
    with pytest.raises(ValueError, match="nan where the chain starts, or its gradient is not finite: start nearer"):
        sampler.start(lambda position: (np.nan, position), np.ones(3))


def test_mclmc_refuses_one_dimension():
    with pytest.raises(ValueError, match="1 dimensions: a direction takes 2 or more; use HMC"):
        MCLMC(10).start(lambda position: (0.0, position), np.ones(1))


def test_the_turn_of_mclmc_solves_its_equation_of_motion():
    rng = np.random.default_rng(0)
    gradient, direction = rng.standard_normal((2, 5))
    direction /= np.linalg.norm(direction)
    found, energy = _turned(direction, gradient, 0.5)
    # du/dt = (1 - u u^T) g / (d - 1), in 2000 steps of the midpoint rule
    step, turning, work = 0.5 / 2000, direction, 0.0
    for _ in range(2000):
        middle = turning + step / 2 * (gradient - turning * (turning @ gradient)) / 4
        turning = turning + step * (gradient - middle * (middle @ gradient)) / 4
        work += step * (middle @ gradient)
    np.testing.assert_allclose(found, turning, atol=1e-7)
    assert energy == pytest.approx(work, abs=1e-7)
    # a large force neither overflows nor loses the direction
    np.testing.assert_allclose(
        _turned(direction, 1e6 * gradient, 0.5)[0], gradient / np.linalg.norm(gradient), atol=1e-7
    )


def test_a_step_of_mclmc_is_that_of_blackjax():
    blackjax = pytest.importorskip("blackjax")
    from blackjax.mcmc.integrators import IntegratorState, isokinetic_mclachlan

    def log_density(x):
        return -0.5 * jnp.sum((x - MEAN) ** 2 / VARIANCE)

    state = MCLMC(10).start(gaussian, np.ones(DIMENSIONS))
    start = jax.value_and_grad(log_density)(state.position)
    theirs = IntegratorState(jnp.asarray(state.position), jnp.asarray(state.direction), *start)
    theirs, energy = isokinetic_mclachlan(log_density)(theirs, 0.7)
    ours, error = _step(gaussian, state._replace(step=0.7))
    np.testing.assert_allclose(ours.position, theirs.position, rtol=1e-12)
    np.testing.assert_allclose(ours.direction, theirs.momentum, rtol=1e-10)
    assert error == pytest.approx(float(energy) - (ours.log_density - state.log_density), abs=1e-10)
    assert blackjax.__name__ == "blackjax"


def test_a_trajectory_of_hmc_is_that_of_blackjax():
    pytest.importorskip("blackjax")
    from blackjax.mcmc.integrators import IntegratorState, velocity_verlet

    from lenscast.inference.hmc import _leapfrog

    def log_density(x):
        return -0.5 * jnp.sum((x - MEAN) ** 2 / VARIANCE)

    momentum = np.random.default_rng(1).standard_normal(DIMENSIONS)
    state = HMC(10).start(gaussian, np.ones(DIMENSIONS))._replace(step=0.3)
    start = jax.value_and_grad(log_density)(state.position)
    theirs = IntegratorState(jnp.asarray(state.position), jnp.asarray(momentum), *start)
    step = velocity_verlet(log_density, lambda momentum, position=None: 0.5 * momentum @ momentum)
    for _ in range(3):
        theirs = step(theirs, 0.3)
    position, value, _, end = _leapfrog(gaussian, state, momentum, 3)
    np.testing.assert_allclose(position, theirs.position, rtol=1e-12)
    np.testing.assert_allclose(end, theirs.momentum, rtol=1e-10)
    assert value == pytest.approx(float(theirs.logdensity), rel=1e-12)


def test_step_sizes_of_hmc_are_those_of_dual_averaging_in_numpyro():
    hmc_util = pytest.importorskip("numpyro.infer.hmc_util")
    sampler = HMC(40)
    states = [sampler.start(gaussian, np.ones(DIMENSIONS))]
    states += run_chain(gaussian, sampler, states[0], 40, (0, 0))
    init, update = hmc_util.dual_averaging()
    theirs = init(np.log(10 * sampler.first_step))
    for number, state in enumerate(states[1:], start=1):
        acceptance = np.exp(-max(state.energy_error, 0.0))
        theirs = update(sampler.acceptance - acceptance, theirs)
        # the averaged step after the last transition of the warm-up
        assert state.step == pytest.approx(float(np.exp(theirs[number == 40])), rel=1e-9)
    assert len({state.step for state in states}) == 41


def test_curvature_stretches_a_narrow_density():
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    precision = turn @ np.diag(np.append([400.0, 90.0, 20.0, 5.0], np.ones(56))) @ turn.T

    def target(position):
        return -0.5 * position @ precision @ position, -precision @ position

    found, gradients = curvature(target, rng.standard_normal(60), rng)
    assert gradients == 120
    np.testing.assert_allclose(np.sort(found.curvature), [5, 20, 90, 400], rtol=1e-6)
    stretch = np.stack([found.position(each) for each in np.eye(60)])
    # a range of 4.5 of curvature in stretched coordinates, where there was a range of 400
    left = np.append(np.ones(56), np.array([5.0, 20.0, 90.0, 400.0]) ** 0.25)
    np.testing.assert_allclose(np.linalg.eigvalsh(stretch @ precision @ stretch), left, rtol=1e-6)
    np.testing.assert_allclose(found.coordinates(found.position(np.arange(60.0))), np.arange(60.0), atol=1e-10)
    # the gradient of the stretched density is that of differences
    of_coordinates, z, step = found.target(target), rng.standard_normal(60), 1e-5 * rng.standard_normal(60)
    slope = of_coordinates(z)[1] @ step
    assert of_coordinates(z + step)[0] - of_coordinates(z - step)[0] == pytest.approx(2 * slope, rel=1e-6)
    assert of_coordinates(z)[0] == target(found.position(z))[0]


def test_mean_of_curvatures_stretches_by_the_mean_hessian():
    rng = np.random.default_rng(5)

    def found(*values):
        vectors = np.linalg.qr(rng.standard_normal((40, len(values))))[0]
        return Preconditioner(vectors, np.array(values))

    def hessian(stretch):
        return np.eye(40) + stretch.vectors @ np.diag(stretch.curvature - 1) @ stretch.vectors.T

    places = [found(300.0, 50.0, 8.0), found(200.0, 30.0), found(100.0)]
    mean = places[0]
    for number, each in enumerate(places[1:], start=2):
        mean = mean.mixed(each, 1 / number)
    expected = sum(hessian(each) for each in places) / 3
    np.testing.assert_allclose(hessian(mean), expected, atol=1e-9)
    np.testing.assert_allclose(mean.vectors.T @ mean.vectors, np.eye(6), atol=1e-12)
    # nothing is left of a place without a share
    np.testing.assert_allclose(hessian(places[0].mixed(places[1], 1.0)), hessian(places[1]), atol=1e-9)
    assert places[0].mixed(places[1], 1.0).curvature.size == 2


def test_curvature_stops_where_the_model_breaks_down():
    def target(position):
        value, gradient = gaussian(position)
        return (value, gradient) if position[0] < 0.2 else (np.nan, np.full(DIMENSIONS, np.nan))

    found, gradients = curvature(target, np.append(0.19, MEAN[1:]), np.random.default_rng(0))
    assert gradients < 2 * DIMENSIONS
    assert np.isfinite(found.vectors).all()
    bare = Preconditioner.none(DIMENSIONS)
    assert bare.target(target) is target
    np.testing.assert_array_equal(bare.position(MEAN), MEAN)
