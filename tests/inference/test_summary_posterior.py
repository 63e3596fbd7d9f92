"""The posterior of a data vector: its likelihood, its limits, its chains and their files."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.test_util import check_grads
from scipy import stats

from lenscast import plotting
from lenscast.fisher.derived import S8, Omega_m
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.inference import (
    Coordinates,
    SummaryPosterior,
    chain_table,
    expected_residual,
    posterior_table,
    sample_summaries,
    with_derived_draws,
)
from lenscast.io.chains import load_summary_chains, save_summary_chains

FIDUCIAL = {"Omega_c": 0.26, "Omega_b": 0.05, "sigma8": 0.8, "w0": -1.0, "m_1": 0.0, "m_2": 0.01}
SIMULATIONS, DATA = 40.0, 12


def gaussian(names, sigma, correlation=0.5):
    """Gaussian posterior with equal correlations."""
    matrix = np.outer(sigma, sigma) * (correlation + (1 - correlation) * np.eye(len(sigma)))
    return ParameterCovariance(tuple(names), np.array([FIDUCIAL[name] for name in names]), matrix)


def posterior(forecast, simulations=SIMULATIONS, data=DATA, priors=None):
    information = np.linalg.inv(forecast.matrix)
    priors = np.zeros_like(information) if priors is None else priors
    residual = expected_residual(simulations, data, len(forecast.names))
    return SummaryPosterior(
        Coordinates.of_posterior(forecast), jnp.asarray(information), jnp.asarray(priors), simulations, residual
    )


@pytest.fixture(scope="module")
def free():
    """Parameters without ranges, for which the posterior is a multivariate t distribution."""
    return gaussian(["m_1", "m_2"], [0.01, 0.03])


@pytest.fixture(scope="module")
def bounded():
    """Parameters with ranges, of which the prior of one reaches its end."""
    return gaussian(["Omega_c", "sigma8", "w0", "m_1"], [0.05, 0.1, 0.8, 0.01], 0.3)


def test_coordinates_have_the_covariance_of_the_forecast_and_stay_inside_the_ranges(bounded):
    coordinates = Coordinates.of_posterior(bounded)
    np.testing.assert_allclose(coordinates.parameters(jnp.zeros(4)), bounded.fiducial, rtol=1e-14)
    slopes = jax.jacfwd(coordinates.parameters)(jnp.zeros(4))
    np.testing.assert_allclose(slopes @ slopes.T, bounded.matrix, rtol=1e-10)
    far = np.array([coordinates.parameters(jnp.full(4, z)) for z in (-30.0, 30.0)])
    assert np.isfinite(far).all()
    assert (far[:, :3] >= [0.001, 0.01, -3.0]).all()
    assert (far[:, :3] <= [1.0, 3.0, -0.2]).all()
    # the determinant, with the constant of the linear map
    z = jnp.array([0.3, -1.0, 2.0, 0.5])
    determinant = np.linalg.slogdet(jax.jacfwd(coordinates.parameters)(z))[1]
    constant = np.linalg.slogdet(coordinates.factor)[1]
    assert coordinates.log_jacobian(z) == pytest.approx(determinant - constant, abs=1e-10)


def test_coordinates_have_derivatives_in_both_modes(bounded):
    coordinates = Coordinates.of_posterior(bounded)
    z = jnp.array([0.3, -1.0, 2.0, 0.5])
    for function in (coordinates.parameters, coordinates.log_jacobian, posterior(bounded).log_density):
        check_grads(lambda z, of=function: of(jnp.asarray(z)), (z,), order=1, modes=("fwd", "rev"), rtol=1e-6)


def test_parameters_that_do_not_vary_keep_their_values(bounded):
    named = Coordinates.of_posterior(bounded).named(jnp.zeros(4), FIDUCIAL)
    assert {name: float(value) for name, value in named.items()} == pytest.approx(FIDUCIAL)


def test_a_fiducial_value_at_the_end_of_its_range_is_refused():
    at_end = ParameterCovariance(("w0",), np.array([-0.2]), np.eye(1))
    with pytest.raises(ValueError, match=r"w0 = -0.2 is not between -3 and -0.2, both excluded: .* choose"):
        Coordinates.of_posterior(at_end)


def test_likelihood_is_that_of_a_covariance_of_simulations_given_its_data():
    # Sellentin & Heavens: the multivariate t distribution of the whole data vector
    rng = np.random.default_rng(0)
    jacobian = rng.standard_normal((2, DATA))
    sample = np.cov(rng.standard_normal((int(SIMULATIONS), DATA)), rowvar=False)
    inverse = np.linalg.inv(sample)
    information = jacobian @ inverse @ jacobian.T
    forecast = ParameterCovariance(("m_1", "m_2"), np.array([0.0, 0.01]), np.linalg.inv(information))
    # data that no parameter fits, at the chi^2 that is expected
    residual = rng.standard_normal(DATA)
    residual -= jacobian.T @ np.linalg.solve(information, jacobian @ inverse @ residual)
    ours = posterior(forecast)
    residual *= (ours.residual / (residual @ inverse @ residual)) ** 0.5
    scale = sample * (SIMULATIONS - 1) / (SIMULATIONS - DATA)
    theirs = stats.multivariate_t(shape=scale, df=SIMULATIONS - DATA)
    theta = forecast.fiducial + rng.standard_normal((5, 2))
    expected = np.array([theirs.logpdf(residual - (each - forecast.fiducial) @ jacobian) for each in theta])
    found = np.array([ours.log_likelihood(jnp.asarray(each)) for each in theta])
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-10)


def test_expected_residual_is_the_mean_of_the_smallest_chi2():
    rng, (data, parameters, simulations) = np.random.default_rng(1), (6, 2, 20)
    jacobian = rng.standard_normal((data, parameters))
    drawn = rng.standard_normal((20_000, simulations + 1, data))
    sample = np.einsum("nsi,nsj->nij", *2 * [drawn[:, 1:] - drawn[:, 1:].mean(1, keepdims=True)]) / (simulations - 1)
    inverse, d = np.linalg.inv(sample), drawn[:, 0]
    weighted = np.einsum("nij,jp->nip", inverse, jacobian)
    projected = np.einsum("nip,ni->np", weighted, d)
    fitted = np.einsum("np,np->n", projected, np.linalg.solve(jacobian.T @ weighted, projected[..., None])[..., 0])
    chi2 = np.einsum("ni,nij,nj->n", d, inverse, d) - fitted
    assert expected_residual(float(simulations), data, parameters) == pytest.approx(chi2.mean(), rel=0.02)
    assert expected_residual(20.0, 2, 3) == 0
    with pytest.raises(ValueError, match=r"12\.0 independent simulations for 10 data more .* raise covariance.boxes"):
        expected_residual(12.0, 12, 2)


@pytest.mark.slow
def test_chains_without_ranges_and_priors_draw_a_multivariate_t_distribution(free):
    made = posterior(free)
    chains = sample_summaries(made, chains=2, draws=1500, warmup=200)
    table = posterior_table(chains, free, {"m_1": 0.0, "m_2": 0.01, "Omega_c": 0.26, "Omega_b": 0.05})
    # density (1 + (residual + delta^T F delta) / (n - 1))^(-n/2): t with n - P degrees of freedom
    widening = (SIMULATIONS - 1 + made.residual) / (SIMULATIONS - 2 - 2)
    np.testing.assert_allclose(table["sigma"], free.marginal_errors * widening**0.5, rtol=0.06)
    np.testing.assert_allclose((table["mean"] - free.fiducial) / free.marginal_errors, 0, atol=0.1)
    assert (table["verdict"] == "converged").all()
    assert chains.divergent == 0
    np.testing.assert_allclose(table["sigma_to_fisher"], table["sigma"] / free.marginal_errors)


@pytest.mark.slow
def test_chains_inside_ranges_have_the_moments_of_an_integral_over_a_grid():
    # w0 reaches the upper end of its range
    forecast = gaussian(["w0"], [0.8])
    made = posterior(forecast, priors=np.array([[1 / 0.8**2]]))
    chains = sample_summaries(made, chains=2, draws=1500, warmup=200)
    grid = np.linspace(-3, -0.2, 4001)
    step = grid + 1
    likelihood = (1 + (made.residual + step**2 / 0.64) / (SIMULATIONS - 1)) ** (-SIMULATIONS / 2)
    density = likelihood * np.exp(-0.5 * step**2 / 0.64)
    density /= np.trapezoid(density, grid)
    mean = np.trapezoid(density * grid, grid)
    sigma = np.trapezoid(density * (grid - mean) ** 2, grid) ** 0.5
    # the prior alone would give .64; in one dimension successive energies, and so widths, depend on each other
    assert chains.draws.mean() == pytest.approx(mean, abs=0.06 * sigma)
    assert chains.draws.std() == pytest.approx(sigma, rel=0.1)
    # the stored density is that of the parameter, not of the coordinate
    some = np.interp(chains.draws[0, :50, 0], grid, np.log(density))
    difference = chains.log_density[0, :50] - some
    np.testing.assert_allclose(difference, difference[0], atol=1e-3)


def test_derived_parameters_of_draws_follow_their_formulas():
    draws = np.random.default_rng(0).uniform(0.2, 0.9, (2, 5, 2))
    names, every = with_derived_draws(("Omega_c", "sigma8"), draws, FIDUCIAL)
    assert names == ("Omega_c", "sigma8", "Omega_m", "S8")
    values = [{**FIDUCIAL, "Omega_c": each[0], "sigma8": each[1]} for each in draws.reshape(-1, 2)]
    expected = [[Omega_m(value).value, S8(value).value] for value in values]
    np.testing.assert_allclose(every[..., 2:].reshape(-1, 2), expected)
    assert with_derived_draws(("sigma8",), draws[..., :1], FIDUCIAL)[0] == ("sigma8",)


def test_diagnostics_know_the_time_scale_of_a_chain_and_chains_that_disagree():
    # an autoregressive chain with correlation rho has N (1 - rho) / (1 + rho) effective draws
    rng, rho = np.random.default_rng(0), 0.8
    noise = rng.standard_normal((4, 20_000))
    draws = np.empty_like(noise)
    draws[:, 0] = noise[:, 0]
    for index in range(1, noise.shape[1]):
        draws[:, index] = rho * draws[:, index - 1] + (1 - rho**2) ** 0.5 * noise[:, index]
    apart = noise + np.arange(4)[:, None]
    table = chain_table(np.stack([draws, apart], axis=-1), ["slow", "apart"]).set_index("parameter")
    assert table["ess_bulk"]["slow"] == pytest.approx(80_000 / 9, rel=0.1)
    assert table["r_hat"]["slow"] < 1.01 < 1.5 < table["r_hat"]["apart"]
    assert list(table["verdict"]) == ["converged", "not converged"]
    assert table["upper"]["slow"] == pytest.approx(1, abs=0.05)
    with pytest.raises(ValueError, match="1 chains of 20000 draws: R-hat compares 2 or more chains"):
        chain_table(draws[:1, :, None], ["slow"])


def test_chains_come_back_from_their_file_and_are_drawn(free, tmp_path):
    chains = sample_summaries(posterior(free), chains=2, draws=100, warmup=50)
    save_summary_chains(tmp_path / "chains.h5", chains, FIDUCIAL, {})
    found = load_summary_chains(tmp_path / "chains.h5")
    assert found.names == chains.names
    assert found.divergent == chains.divergent
    np.testing.assert_array_equal(found.draws, chains.draws)
    table = pd.DataFrame({"parameter": ["m_1", "m_2"], "verdict": ["converged", "not converged"]})
    sampled = {"C_ell": plotting.SampledPosterior(found.names, found.draws, table)}
    figure = plotting.posteriors(sampled, {"C_ell": free})
    note = figure.texts[-1].get_text()
    assert "not converged: $m$" in note
    panel = next(axes for axes in figure.axes if axes.collections)
    assert len(panel.collections) == 2
