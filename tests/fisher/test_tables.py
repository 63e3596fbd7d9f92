"""The table of a forecast."""

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher import tables
from lenscast.fisher.covariance import Covariance
from lenscast.fisher.derivatives import DerivativeSample
from lenscast.fisher.derived import S8
from lenscast.fisher.estimate import FisherEstimate
from lenscast.fisher.estimation import fisher_estimate
from lenscast.fisher.estimators import SPLITS
from lenscast.fisher.halves import splits
from lenscast.fisher.intervals import sigma_interval
from lenscast.fisher.shown_tables import runs_table, screen_bins, screen_table, short_table, vectors_table
from lenscast.fisher.tables import fisher_table

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
    assert len(table) == 3 * 4 * 2
    first = table.iloc[0]
    assert (first["estimator"], first["with_priors"]) == ("cross", True)
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


def test_each_error_has_the_interval_of_its_estimator() -> None:
    table = fisher_table(estimate(0.1), PRIORS, [S8(FIDUCIAL)])
    for name in ("standard", "cross"):
        part = rows(table, name, with_priors=True)
        interval = sigma_interval(estimate(0.1), name, PRIORS, [S8(FIDUCIAL)])
        np.testing.assert_array_equal(part["sigma_low"], interval.low)
        np.testing.assert_array_equal(part["sigma_high"], interval.high)
    for name in ("compressed", "combined"):
        assert rows(table, name, with_priors=True)["sigma_low"].isna().all()


def test_estimators_of_halves_are_medians_over_splits() -> None:
    table = rows(fisher_table(estimate(0.1), PRIORS), "combined", with_priors=True)
    matrices = splits(estimate(0.1), "combined") + np.diag([0.2**-2, 0.14**-2])
    expected = np.median(np.sqrt(np.diagonal(np.linalg.inv(matrices), axis1=1, axis2=2)), axis=0)
    np.testing.assert_allclose(table["sigma"], expected, rtol=1e-9)
    assert set(table["splits"]) == {SPLITS}
    assert set(table["failures"]) == {0}


def test_splits_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = np.tile(np.diag([1e4, 4e4]), (SPLITS, 1, 1))
    matrices[:10, 1, 1] = -1.0
    monkeypatch.setattr(tables, "splits", lambda of, name: matrices)
    table = fisher_table(estimate(0.1), {"sigma8": 10.0})
    for with_priors in (True, False):
        part = rows(table, "compressed", with_priors)
        assert set(part["failures"]) == {10}
        np.testing.assert_allclose(part["sigma"], [0.01, 0.005], rtol=1e-5)
    assert set(rows(fisher_table(estimate(0.1), PRIORS), "compressed", with_priors=True)["failures"]) == {0}


def test_priors_tighten_and_flag_what_they_dominate() -> None:
    table = fisher_table(estimate(0.1), {"Omega_c": 1e-4, "sigma8": 10.0}, [S8(FIDUCIAL)])
    verdicts = rows(table, "cross", with_priors=True)["verdict"].to_dict()
    assert verdicts == {"Omega_c": "set by the prior", "sigma8": "converged", "S8": "converged"}
    free, tight = (rows(table, "standard", with_priors=used) for used in (False, True))
    assert (tight["sigma"] <= free["sigma"]).all()
    assert tight["prior_dominated"].to_dict() == {"Omega_c": True, "sigma8": False, "S8": False}
    assert not free["prior_dominated"].any()
    assert free["prior"].isna().all()
    gradient = S8(FIDUCIAL).gradient
    implied = np.hypot(gradient["Omega_c"] * 1e-4, gradient["sigma8"] * 10.0)
    assert tight["prior"]["S8"] == pytest.approx(implied)
    assert tight["posterior_to_prior"]["sigma8"] == pytest.approx(tight["sigma"]["sigma8"] / 10)


def test_noise_is_judged_alike_for_all_estimators_and_never_widens_the_prior() -> None:
    noisy = estimate(30.0)
    assert np.linalg.eigvalsh(noisy.unclipped)[0] < 0
    table = fisher_table(noisy, PRIORS)
    assert set(table["verdict"]) == {"limited by simulations"}
    assert set(table["reason"]) == {"noise of the Jacobian"}
    cross, standard = (rows(table, name, with_priors=True) for name in ("cross", "standard"))
    assert (cross["sigma"] <= cross["prior"] * (1 + 1e-6)).all()
    assert (cross["sigma"] > standard["sigma"]).all()
    assert (standard["verdict"] == cross["verdict"]).all()
    np.testing.assert_array_equal(cross["boxes_needed"], standard["boxes_needed"])
    np.testing.assert_allclose(cross["boxes_needed"], np.ceil(12 * cross["bias_share"] / 0.05))


def test_error_is_infinite_where_there_is_neither_information_nor_prior() -> None:
    noise = np.random.default_rng(0).normal(size=(12, 2, 6))
    noise -= 0.9 * noise.mean(axis=0)
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(12), noise)
    made = fisher_estimate(sample, COVARIANCE, FIDUCIAL, 1.0)
    cross = rows(fisher_table(made, {}), "cross", with_priors=False)
    assert np.isinf(cross[["sigma", "sigma_low", "sigma_high", "boxes_needed"]]).all(axis=None)


def test_two_boxes_give_a_table_without_intervals() -> None:
    table = fisher_table(estimate(0.1, boxes=2), {})
    assert table["sigma_low"].isna().all()
    assert table.loc[table["estimator"] == "compressed", "sigma"].isna().all()


def test_prior_on_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown parameter with a prior 'sigma_8'.*did you mean 'sigma8'\?"):
        fisher_table(estimate(0.1), {"sigma_8": 0.1})


@pytest.mark.slow
def test_runs_side_by_side_hold_the_rows_of_each() -> None:
    tables = {"plain": fisher_table(estimate(0.1), PRIORS), "derived": fisher_table(estimate(0.3), {}, [S8(FIDUCIAL)])}
    together = runs_table(tables).set_index(["parameter", "with_priors"])
    for run, table in tables.items():
        for flag in (False, True):
            part = rows(table, "cross", with_priors=flag)
            found = together.xs(flag, level="with_priors").reindex(part.index)
            for column in ("sigma", "sigma_low", "sigma_high", "conditional", "verdict"):
                assert list(found[f"{column}_{run}"].dropna()) == list(part[column].dropna())
    one = together.loc[("sigma8", False)]
    assert one["sigma_ratio_derived"] == one["sigma_derived"] / one["sigma_plain"]
    assert np.isnan(together.loc[("S8", False), "sigma_plain"])
    assert "sigma_ratio_plain" not in together


@pytest.mark.slow
def test_data_vectors_have_one_row_each_with_the_errors_of_their_tables() -> None:
    tables = {"C_ell": fisher_table(estimate(0.1), PRIORS), "peaks": fisher_table(estimate(0.3), PRIORS)}
    together = vectors_table(tables).set_index("data_vector")
    for vector, table in tables.items():
        part = rows(table, "cross", with_priors=True)
        assert together.loc[vector, "data"] == len(DATA)
        for parameter in PARAMETERS:
            for column in ("sigma", "conditional", "verdict"):
                assert together.loc[vector, f"{column}_{parameter}"] == part.loc[parameter, column]


def test_data_that_leave_a_direction_open_have_errors_with_priors_only() -> None:
    rng = np.random.default_rng(0)
    # the same derivatives but for rounding, which leaves halves of the boxes an inverse
    jacobian = np.repeat(rng.normal(size=(12, 1, 6)) + 3, 2, axis=1) * (1 + 1e-9 * rng.normal(size=(12, 2, 6)))
    sample = DerivativeSample(PARAMETERS, DATA, np.arange(12), jacobian)
    degenerate = fisher_estimate(sample, COVARIANCE, FIDUCIAL, 100.0)
    table = fisher_table(degenerate, PRIORS, [S8(FIDUCIAL)])
    assert np.all(np.isfinite(rows(table, "cross", True)["sigma"]))
    free = rows(table, "cross", False)
    assert np.all(np.isinf(free["sigma"]))
    assert free["reason"].str.contains("not positive definite").all()
    with pytest.raises(ValueError, match="not positive definite"):
        fisher_table(degenerate, {})


def test_short_table_has_one_row_per_parameter_and_four_digits() -> None:
    table = fisher_table(estimate(0.1), PRIORS, [S8(FIDUCIAL)])
    short = short_table(table)
    assert list(short["parameter"]) == ["Omega_c", "sigma8", "S8"]
    expected = rows(table, "cross", with_priors=True)
    for column in ("fiducial", "sigma", "sigma_low", "sigma_high", "prior"):
        np.testing.assert_allclose(short[column], expected[column], rtol=5e-4)
        assert all(len(f"{value:g}".lstrip("0.").replace(".", "")) <= 4 for value in short[column])
    # without priors, the rows without
    free = short_table(fisher_table(estimate(0.1), {}, [S8(FIDUCIAL)]))
    np.testing.assert_allclose(free["sigma"], rows(table, "cross", with_priors=False)["sigma"], rtol=5e-4)
    assert free["prior"].isna().all()


def test_screen_shows_each_error_once_with_its_verdict() -> None:
    short = short_table(fisher_table(estimate(0.1), PRIORS)).assign(reason=["", "noise of the covariance"])
    text = screen_table({"C_ell": short, "peaks": short})
    header, *lines = text.splitlines()
    assert header.split() == ["data", "vector", "parameter", "fiducial", "sigma", "68", "%", "prior", "verdict"]
    assert [line.split()[:2] for line in lines] == [[v, p] for v in ("C_ell", "peaks") for p in PARAMETERS]
    assert lines[1].endswith(f"{short['verdict'][1]} (noise of the covariance)")
    assert f" {short['sigma'][0]:g} " in lines[0]
    assert "nan" not in screen_table({"C_ell": short.assign(prior=np.nan, sigma_low=np.nan)})


def test_bins_that_are_not_gaussian_are_listed_once():
    bins = pd.DataFrame(
        {"name": ["a", "b", "c"], "verdict": ["Gaussian", "few", "skewed"], "used": [True, True, True]},
    )
    text = screen_bins({"one": bins, "two": bins.iloc[:2]})
    assert text == "Bins with few counts: b\nBins with skewed data: c\nforecast.drop_bins: auto would leave them out"
    many = pd.DataFrame({"name": [*"abcde"], "verdict": "few", "used": True})
    assert screen_bins({"one": many}).splitlines()[0] == "Bins with few counts: a, b, c and 2 more"
    left_out = bins.assign(used=[True, False, False])
    assert screen_bins({"one": left_out}).splitlines()[-1] == "forecast.drop_bins left them out"
    assert screen_bins({"one": bins.iloc[:1]}) == ""
