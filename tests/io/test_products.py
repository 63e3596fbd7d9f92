"""Files of a campaign's products."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lenscast import io
from lenscast.fisher.boxes import BoxMeans
from lenscast.fisher.data_vector import Forecast, ParameterSpace, data_vector_forecast
from lenscast.fisher.samples import Jacobians, SummarySample
from lenscast.io.variables import Contents

BINS = pd.DataFrame({"statistic": "peaks", "name": [f"peaks_{index}" for index in range(4)]})
FIDUCIAL = {"h": 0.7, "n_s": 0.96, "w0": -1.0}
PRIORS = {"h": 0.06, "n_s": 0.08}


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    """Forecast with so few boxes that information is clipped."""
    rng = np.random.default_rng(3)
    measured = rng.normal(size=(80, 4))
    jacobian = np.array([[1.0, 2, 3, 4]] * 3) + 3 * rng.normal(size=(5, 3, 4))
    summaries = SummarySample(measured, np.repeat(np.arange(40), 2), BINS)
    jacobians = Jacobians(jacobian, np.ones((5, 4)), np.arange(5), tuple(FIDUCIAL), BINS)
    space = ParameterSpace(tuple(FIDUCIAL), ("n_s",), FIDUCIAL, PRIORS)
    return data_vector_forecast(summaries, jacobians, ["peaks"], space, 10.0)


def test_forecast_comes_back_with_priors_by_the_headline_and_by_name(forecast: Forecast, tmp_path: Path) -> None:
    path, estimate = tmp_path / "peaks.h5", forecast.estimate
    assert np.linalg.eigvalsh(estimate.unclipped)[0] < 0
    io.save_forecast(path, forecast, PRIORS, {})
    for name, given in (("cross", {}), ("cross", {"estimator": "cross"}), ("standard", {"estimator": "standard"})):
        expected = estimate.fisher(name, PRIORS).with_priors(PRIORS).inverse()
        np.testing.assert_allclose(io.load_forecast(path, **given).matrix, expected.matrix, rtol=1e-6)
    known, free = estimate.with_fixed(["n_s"], PRIORS), {"h": 0.06}
    expected = known.fisher("cross", free).with_priors(free).inverse()
    found = io.load_forecast(path, fixed=["n_s"])
    assert found.names == ("h", "w0")
    # Hartlap's factor does not depend on the parameters
    np.testing.assert_allclose(found.matrix, expected.matrix, rtol=1e-6)
    with pytest.raises(ValueError, match="unknown estimator 'combined': choose from cross, standard"):
        io.load_forecast(path, estimator="combined")
    stored = io.load(path, ["cross", "bias"]).variables
    np.testing.assert_array_equal(stored["cross"].values, estimate.fisher("cross", PRIORS).matrix)
    np.testing.assert_array_equal(stored["bias"].values, estimate.bias)


def test_summaries_come_back_with_the_expected_data_of_their_boxes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seeds = [[7, 7, 3, 3], [5, 5]]
    maps = [pd.DataFrame({"seed": each, "realisation": [0, 1] * (len(each) // 2)}) for each in seeds]
    measured = [rng.normal(size=(len(each), 4)) for each in seeds]
    expected = [
        BoxMeans(np.array([7, 3]), np.full((2, 4), [[7.0], [3.0]])),
        BoxMeans(np.array([5]), np.full((1, 4), 5.0)),
    ]
    io.save_summaries(tmp_path / "with.h5", maps, measured, expected, BINS, {})
    found = io.load_summaries(tmp_path / "with.h5")
    np.testing.assert_array_equal(found.box, [3, 3, 5, 5, 7, 7])
    np.testing.assert_array_equal(found.expected[:, 0], [3, 5, 7])
    index = {"map": pd.concat(maps, ignore_index=True), "bin": BINS}
    io.save(
        tmp_path / "without.h5", {"measured": io.Variable(np.concatenate(measured), ("map", "bin"), "1", "")}, index, {}
    )
    assert io.load_summaries(tmp_path / "without.h5").expected is None
    others = found.expected[:2], pd.DataFrame({"seed": [3, 5]})
    variables = {
        "measured": io.Variable(found.measured, ("map", "bin"), "1", ""),
        "expected": io.Variable(others[0], ("box", "bin"), "1", ""),
    }
    io.save(tmp_path / "other.h5", variables, index | {"box": others[1]}, {})
    with pytest.raises(ValueError, match=r"other\.h5 has expected data of other boxes than its maps: gather it again"):
        io.load_summaries(tmp_path / "other.h5")


def test_summaries_and_jacobians_are_counted_where_they_are_joined(tmp_path: Path) -> None:
    maps = [pd.DataFrame({"seed": [seed, seed], "realisation": [0, 1]}) for seed in (3, 5)]
    measured, means = 2 * [np.ones((2, 4))], [BoxMeans(np.array([seed]), np.ones((1, 4))) for seed in (3, 5)]

    def refusal(maps: list[pd.DataFrame], measured: list[np.ndarray], means: list[BoxMeans]) -> str:
        with pytest.raises(ValueError, match="joined") as error:
            io.save_summaries(tmp_path / "joined.h5", maps, measured, means, BINS, {})
        assert not (tmp_path / "joined.h5").exists()
        return str(error.value).removeprefix(f"{tmp_path}/joined.h5: ")

    once = "join each batch and each run once"
    assert refusal(maps + maps[:1], 3 * [measured[0]], means) == (
        f"2 of 6 entries along 'map' come twice, of seed 3 first: {once}"
    )
    fewer = [maps[0], maps[1][:1]]
    assert refusal(fewer, [np.ones((2, 4)), np.ones((1, 4))], means) == (
        f"seed 5 has 1 entries along 'map', and seed 3 2: {once}"
    )
    assert refusal(maps, measured, means + means[:1]) == (
        f"1 of 3 entries along 'box' come twice, of seed 3 first: {once}"
    )
    assert refusal(maps, measured, means[:1]) == (
        "seeds [5] have maps or expected data, and not both: measure them again"
    )
    jacobians = [BoxMeans(each.box, np.ones((1, 2, 4))) for each in means]
    with pytest.raises(ValueError, match=r"1 of 3 entries along 'box' come twice, of seed 3 first"):
        io.save_jacobians(tmp_path / "joined.h5", jacobians + jacobians[:1], means + means[:1], {"bin": BINS}, {})


def test_boxes_of_a_level_are_those_of_the_fine_one_and_further_ones() -> None:
    def batch(seeds: list[int]) -> Contents:
        values = np.array(seeds, float)
        variables = {
            "jacobian": io.Variable(np.ones((1, 1, 4)) * values[:, None, None], ("box", "param", "bin"), "1", "slope"),
            "expected": io.Variable(np.ones((1, 4)) * values[:, None], ("box", "bin"), "1", "mean"),
        }
        return Contents(variables, {"box": pd.DataFrame({"seed": seeds})}, {})

    fine = Jacobians(np.ones((3, 1, 4)), np.ones((3, 4)), np.array([4, 5, 6]), ("h",), BINS)
    level = io.load_level("particles", [batch([90, 91]), batch([6, 4])], fine)
    assert level.fine.box.tolist() == level.coarse.box.tolist() == [4, 6]
    np.testing.assert_array_equal(level.coarse.jacobian[:, 0, 0], [4, 6])
    np.testing.assert_array_equal(level.further.expected[:, 0], [90, 91])
    assert io.load_level("steps", [batch([5])], fine).further is None
