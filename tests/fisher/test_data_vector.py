"""The forecast of a data vector: which Jacobians are controlled, and by what."""

import numpy as np
import pandas as pd
import pytest

from lenscast.fisher.data_vector import ForecastOptions, ParameterSpace, data_vector_forecast
from lenscast.fisher.resolution import Level
from lenscast.fisher.samples import Jacobians, SummarySample

PARAMETERS = ("Omega_c", "sigma8")
FIDUCIAL = {"Omega_c": 0.2589, "Omega_b": 0.0486, "sigma8": 0.8159}
SPACE = ParameterSpace(PARAMETERS, (), FIDUCIAL, {"Omega_c": 0.2, "sigma8": 0.14})
CONTROLLED = ForecastOptions(controlled=["spectrum"])
BINS = pd.DataFrame(
    {
        "statistic": ["spectrum"] * 4 + ["peaks"] * 3,
        "name": [f"C_{index}" for index in range(4)] + [f"n_{index}" for index in range(3)],
        "source_1": 0,
        "source_2": [0] * 4 + [None] * 3,
    }
)


@pytest.fixture
def campaign() -> tuple[SummarySample, Jacobians]:
    """Sixty boxes of four maps, and twenty-four with Jacobians that follow the spectrum of their box."""
    rng = np.random.default_rng(0)
    here, elsewhere = (100 + rng.normal(size=(boxes, 7)) for boxes in (24, 60))
    mean = np.array([[5.0, 4, 3, 2, 1, 2, 1], [1, 2, 3, 4, 2, 0, -2]])
    slopes = rng.normal(size=(4, 2, 7))
    own = 0.2 * rng.normal(size=(24, 2, 7))
    jacobian = mean + np.einsum("rx,xpb->rpb", here[:, :4] - 100, slopes) + own
    maps = np.repeat(elsewhere, 4, axis=0) + rng.normal(size=(240, 7))
    # batches come in any order: boxes of the summaries are numbered from 100 upwards
    order = rng.permutation(240)
    box = np.repeat(np.arange(100, 160), 4)
    summaries = SummarySample(maps[order], box[order], BINS, elsewhere)
    return summaries, Jacobians(jacobian, here, np.arange(24), PARAMETERS, BINS)


@pytest.mark.slow
def test_control_lowers_the_noise_of_the_statistics_that_are_named(campaign) -> None:
    summaries, jacobians = campaign
    for vector, gains in ((["spectrum"], True), (["peaks"], False), (["spectrum", "peaks"], True)):
        plain = data_vector_forecast(summaries, jacobians, vector, SPACE, 1.0)
        found = data_vector_forecast(summaries, jacobians, vector, SPACE, 1.0, CONTROLLED)
        bias, before = np.diag(found.estimate.bias), np.diag(plain.estimate.bias)
        if gains:
            assert np.all(bias < 0.8 * before)
        else:
            np.testing.assert_array_equal(bias, before)
            assert len(found.estimate.outside) == 0


@pytest.mark.slow
def test_a_level_with_further_boxes_lowers_the_noise_and_says_what_it_gains(campaign) -> None:
    summaries, jacobians = campaign
    rng = np.random.default_rng(8)
    spectra = (BINS["statistic"] == "spectrum").to_numpy()
    # the coarse level follows the fine one in the spectrum, not in the counts, and has another mean
    noise = np.where(spectra, 0.2, 20.0) * rng.normal(size=(24, 2, 7))
    coarse = jacobians._replace(jacobian=0.5 * jacobians.jacobian + noise)
    scatter = coarse.jacobian[rng.integers(24, size=96)]
    further = Jacobians(scatter, np.full((96, 7), 100.0), np.arange(500, 596), PARAMETERS, BINS)
    plain = data_vector_forecast(summaries, jacobians, ["spectrum"], SPACE, 1.0)
    assert plain.two_levels.empty
    level = Level("particles", jacobians, coarse, further)
    found = data_vector_forecast(summaries, jacobians, ["spectrum"], SPACE, 1.0, ForecastOptions(levels=[level]))
    assert np.all(np.diag(found.estimate.bias) < 0.7 * np.diag(plain.estimate.bias))
    assert found.two_levels["gain"].item() > 1.2
    both = data_vector_forecast(
        summaries, jacobians, ["spectrum", "peaks"], SPACE, 1.0, ForecastOptions(levels=[level])
    )
    assert both.two_levels["statistic"].tolist() == ["spectrum", "peaks"]
    assert both.two_levels["used"].tolist() == [True, False]
    alone = ForecastOptions(levels=[level._replace(further=None)])
    made = data_vector_forecast(summaries, jacobians, ["spectrum"], SPACE, 1.0, alone)
    np.testing.assert_array_equal(made.estimate.bias, plain.estimate.bias)


def test_control_needs_the_expected_data_of_all_boxes(campaign) -> None:
    summaries, jacobians = campaign
    plain = data_vector_forecast(summaries, jacobians, ["spectrum"], SPACE, 1.0)
    unknown = summaries._replace(expected=None)
    found = data_vector_forecast(unknown, jacobians, ["spectrum"], SPACE, 1.0, CONTROLLED)
    np.testing.assert_array_equal(found.estimate.bias, plain.estimate.bias)
    with pytest.raises(
        ValueError, match=r"shape \(59, 7\) for 60 boxes and 7 bins: give the expected data of all boxes"
    ):
        data_vector_forecast(
            summaries._replace(expected=summaries.expected[1:]), jacobians, ["spectrum"], SPACE, 1.0, CONTROLLED
        )


def test_box_with_both_is_counted_once(campaign) -> None:
    summaries, jacobians = campaign
    both = jacobians._replace(box=np.arange(150, 174))
    found = data_vector_forecast(summaries, both, ["spectrum"], SPACE, 1.0, CONTROLLED)
    # the data of the first fifty boxes alone
    alone = summaries._replace(
        measured=summaries.measured[summaries.box < 150],
        box=summaries.box[summaries.box < 150],
        expected=summaries.expected[:50],
    )
    expected = data_vector_forecast(alone, both, ["spectrum"], SPACE, 1.0, CONTROLLED)
    ratio = np.einsum("rpb,rqb->pq", found.estimate.outside, found.estimate.outside)
    assert found.estimate.outside.shape == expected.estimate.outside.shape
    assert np.all(np.isfinite(ratio))


@pytest.mark.slow
def test_columns_of_the_jacobians_may_come_in_another_order(campaign) -> None:
    summaries, jacobians = campaign
    order = np.random.default_rng(1).permutation(7)
    shuffled = Jacobians(
        jacobians.jacobian[:, :, order],
        jacobians.expected[:, order],
        jacobians.box,
        PARAMETERS,
        BINS.iloc[order].reset_index(drop=True),
    )
    first, second = (
        data_vector_forecast(summaries, each, ["spectrum", "peaks"], SPACE, 1.0, CONTROLLED)
        for each in (jacobians, shuffled)
    )
    np.testing.assert_allclose(first.estimate.bias, second.estimate.bias, rtol=1e-10)


@pytest.mark.slow
def test_nuisance_parameters_are_marginalised_and_fixed(campaign) -> None:
    summaries, jacobians = campaign
    space = SPACE._replace(nuisance=("Omega_c",))
    levels = [Level("steps", jacobians, jacobians._replace(jacobian=0.9 * jacobians.jacobian))]
    found = data_vector_forecast(summaries, jacobians, ["peaks"], space, 1.0, ForecastOptions(levels=levels))
    table = found.parameters
    assert set(table.loc[table["systematics"] == "fixed", "parameter"]) == {"sigma8", "S8"}
    assert "resolution_in_steps" in found.directions
