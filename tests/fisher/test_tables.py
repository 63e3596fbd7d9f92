"""The table of a forecast."""

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.estimators import FisherEstimate, fisher_estimate
from lenscast.fisher.matrices import S8
from lenscast.fisher.tables import fisher_table, runs_table

PARAMETERS = ("Omega_c", "sigma8")
DATA = tuple(f"bin_{i}" for i in range(6))
FIDUCIAL = {"Omega_c": 0.2589, "Omega_b": 0.0486, "sigma8": 0.8159}
COVARIANCE = Covariance(DATA, np.zeros(6), np.eye(6), 60, 60, np.ones(6))
PRIORS = {"Omega_c": 0.2, "sigma8": 0.14}


def estimate(noise: float, boxes: int = 12) -> FisherEstimate:
    """Both parameters well constrained but for noise."""
    rng = np.random.default_rng(6)
    mean = np.array([[3.0, 0, 3, 0, 3, 1], [0, 3, 1, 3, 0, 3]])
    jacobian = mean + noise * rng.normal(size=(boxes, 2, 6))
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(boxes), jacobian)
    return fisher_estimate(sample, COVARIANCE, FIDUCIAL, 100.0)


def rows(table: pd.DataFrame, estimator: str, with_priors: bool) -> pd.DataFrame:
    """Rows of one estimator by parameter."""
    kept = table[(table["estimator"] == estimator) & (table["with_priors"] == with_priors)]
    return kept.set_index("parameter")


def test_table_holds_the_errors_of_the_matrices() -> None:
    forecast = estimate(0.1)
    table = fisher_table(forecast, PRIORS, [S8(FIDUCIAL)])
    assert len(table) == 3 * 2 * 2
    for name in ("standard", "cross"):
        part = rows(table, name, with_priors=False)
        posterior = forecast.fisher(name).inverse().with_derived([S8(FIDUCIAL)])
        np.testing.assert_allclose(part["sigma"], posterior.marginal_errors, rtol=1e-12)
        np.testing.assert_allclose(part["fiducial"], posterior.fiducial, rtol=1e-12)
        conditional = forecast.fisher(name).conditional_errors
        np.testing.assert_allclose(part["conditional"][:2], conditional, rtol=1e-12)
        # (n - 1)/(n - 1 - d + P) times the inverse without Hartlap's factor (n - d - 2)/(n - 1)
        factor = (60 - 6 - 2) / (60 - 1 - 6 + 2)
        np.testing.assert_allclose(part["sigma_taylor_joachimi"], part["sigma"] * np.sqrt(factor), rtol=1e-9)
        further = 1 + 52 / (53 * 50) * 4
        np.testing.assert_allclose(
            part["sigma_dodelson_schneider"], part["sigma_taylor_joachimi"] * np.sqrt(further), rtol=1e-9
        )
    assert table["note"].str.contains("super-sample covariance not included").all()


def test_sigma_error_is_the_jackknife_and_tracks_the_scatter() -> None:
    part = rows(fisher_table(estimate(0.1), {}), "cross", with_priors=False)
    replicates = [np.sqrt(np.diag(np.linalg.inv(matrix))) for matrix in estimate(0.1).leave_one_out("cross")]
    expected = np.sqrt(11 / 12 * ((replicates - np.mean(replicates, axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(part["sigma_error"], expected, rtol=1e-9)


def test_priors_tighten_and_flag_what_they_dominate() -> None:
    table = fisher_table(estimate(0.1), {"Omega_c": 1e-4, "sigma8": 10.0}, [S8(FIDUCIAL)])
    free, tight = (rows(table, "standard", with_priors=used) for used in (False, True))
    assert (tight["sigma"] <= free["sigma"]).all()
    assert tight["prior_dominated"].to_dict() == {"Omega_c": True, "sigma8": False, "S8": False}
    assert not free["prior_dominated"].any()
    assert free["prior"].isna().all()
    gradient = S8(FIDUCIAL).gradient
    implied = np.hypot(gradient["Omega_c"] * 1e-4, gradient["sigma8"] * 10.0)
    assert tight["prior"]["S8"] == pytest.approx(implied)
    assert tight["posterior_to_prior"]["sigma8"] == pytest.approx(tight["sigma"]["sigma8"] / 10)


def test_indefinite_cross_matrix_is_reported_and_not_inverted() -> None:
    noisy = estimate(30.0)
    assert not noisy.fisher("cross").is_positive_definite
    table = fisher_table(noisy, {})
    cross = rows(table, "cross", with_priors=False)
    assert set(cross["verdict"]) == {"not converged"}
    assert cross["sigma"].isna().all()
    standard = rows(table, "standard", with_priors=False)
    assert standard["sigma"].notna().all()
    assert set(standard["verdict"]) == {"unconstrained by these simulations"}


def test_two_boxes_give_a_table_without_errors_of_errors() -> None:
    assert fisher_table(estimate(0.1, boxes=2), {})["sigma_error"].isna().all()


def test_prior_on_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown parameter with a prior 'sigma_8'.*did you mean 'sigma8'\?"):
        fisher_table(estimate(0.1), {"sigma_8": 0.1})


def test_runs_side_by_side_hold_the_rows_of_each() -> None:
    tables = {"plain": fisher_table(estimate(0.1), PRIORS), "derived": fisher_table(estimate(0.3), {}, [S8(FIDUCIAL)])}
    together = runs_table(tables).set_index(["parameter", "with_priors"])
    for run, table in tables.items():
        for flag in (False, True):
            part = rows(table, "standard", with_priors=flag)
            found = together.xs(flag, level="with_priors").reindex(part.index)
            for column in ("sigma", "sigma_error", "conditional", "verdict"):
                assert list(found[f"{column}_{run}"].dropna()) == list(part[column].dropna())
    one = together.loc[("sigma8", False)]
    assert one["sigma_ratio_derived"] == one["sigma_derived"] / one["sigma_plain"]
    assert np.isnan(together.loc[("S8", False), "sigma_plain"])
    assert "sigma_ratio_plain" not in together
