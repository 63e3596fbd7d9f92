"""Contours, correlations, and errors against the number of boxes."""

import numpy as np
import pandas as pd

from lenscast import plotting
from lenscast.bins import bins_of
from lenscast.fisher.matrices import ParameterCovariance
from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.moments import Moments

NAMES = ("Omega_c", "sigma8")
FIDUCIAL = np.array([0.2589, 0.8159])


def test_triangle_contours_enclose_the_levels_it_states(texts):
    matrix = np.array([[1.0, 0.5], [0.5, 2.0]]) * 1e-4
    posteriors = {"peaks": ParameterCovariance(NAMES, FIDUCIAL, matrix)}
    figure = plotting.triangle(posteriors, ["peaks: nothing to say"])
    panel = next(axes for axes in figure.axes if axes.collections)
    reach = [path.vertices[:, 0].max() - FIDUCIAL[0] for path in panel.collections[0].get_paths()]
    # a contour of Delta chi2 reaches sqrt(Delta chi2) sigma; GetDist's grid resolves it to 1 %
    np.testing.assert_allclose(sorted(reach), np.sqrt([2.30, 6.18]) * 0.01, rtol=0.01)
    assert "2.30, 6.18" in texts(figure)
    assert "nothing to say" in texts(figure)


def test_verdict_note_names_what_the_prior_sets_and_what_simulations_limit():
    names = ["Omega_c", "sigma8", "h", "Omega_b", "n_s", "Omega_c"]
    limited = "limited by simulations"
    table = pd.DataFrame(
        {
            "parameter": names,
            "estimator": ["cross"] * 5 + ["standard"],
            "with_priors": True,
            "systematics": "marginalised",
            "verdict": ["converged", limited, "set by the prior", limited, "set by the prior", limited],
            "reason": ["", "noise of the Jacobian", "", "noise of the Jacobian and resolution", "", "resolution"],
            "boxes_needed": [3.0, 120.0, 7.0, 90.0, 1.0, 5.0],
        }
    )
    (line,) = plotting.verdict_note("C_ell", table)
    assert line == (
        r"$C_\ell$: limited by simulations (noise of the Jacobian; 120 boxes needed): $\sigma_8$; "
        r"set by the prior: $h$, $n_s$; "
        r"limited by simulations (noise of the Jacobian and resolution; 90 boxes needed): $\Omega_b$"
    )
    assert plotting.verdict_note("C_ell", table.iloc[:1]) == []
    (line,) = plotting.verdict_note("C_ell", table.iloc[1:2].assign(reason="noise of the covariance"))
    assert line.endswith(r"limited by simulations (noise of the covariance): $\sigma_8$")
    (line,) = plotting.verdict_note("C_ell", table.iloc[1:2].assign(boxes_needed=np.inf))
    assert line.endswith(r"limited by simulations (noise of the Jacobian; no information found): $\sigma_8$")


def test_reliability_shows_both_estimators_of_each_data_vector():
    curve = pd.DataFrame(
        [
            {"boxes": boxes, "estimator": estimator, "parameter": name, "sigma": 0.1 / boxes}
            for boxes in (8, 4, 2)
            for estimator in ("standard", "cross")
            for name in NAMES
        ]
    )
    figure = plotting.reliability({"C_ell": curve, "peaks": curve})
    assert [len(axes.lines) for axes in figure.axes] == [4, 4]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["2", "4", "8"]


def test_correlation_names_blocks_as_statistics_say(statistics, make_bins):
    for sources, names in (
        (1, ["$C_\\ell$", "peaks 9.4 arcmin", "peaks 18.8 arcmin"]),
        (2, ["$C_\\ell$ (1-1)", "$C_\\ell$ (1-2)", "$C_\\ell$ (2-2)", "peaks 9.4 arcmin (1)", "peaks 9.4 arcmin (2)"]),
        (3, ["$C_\\ell$", "peaks 9.4 arcmin", "peaks 18.8 arcmin"]),
    ):
        bins = make_bins(sources)
        figure = plotting.correlation(np.eye(len(bins)), bins, statistics)
        ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
        assert ticks[: len(names)] == names


def test_correlation_has_a_block_for_three_sources():
    third = Moments(name="third", order=3, scales_arcmin=(4.7, 9.4), filter="smoothing")
    bins = bins_of([third], Observation(Region(128, 5.0, 16), ShapeNoise((0.1, 0.1, 0.1))))
    few = bins.iloc[6:12].reset_index(drop=True)
    figure = plotting.correlation(np.eye(len(few)), few, {"third": third})
    ticks = [tick.get_text().split()[-1] for tick in figure.axes[0].get_yticklabels()]
    assert ticks == ["(2-1)", "(1-2-3)", "(3-1)"]
    figure = plotting.correlation(np.eye(len(bins)), bins, {"third": third})
    assert len(figure.axes[0].get_yticklabels()) == 1  # more than eight blocks


def test_contours_of_what_the_data_do_not_constrain_are_dashed(texts):
    matrix = np.diag([1e-4, 1e-4])
    posteriors = {name: ParameterCovariance(NAMES, FIDUCIAL, matrix * scale) for name, scale in (("a", 1), ("b", 2))}
    figure = plotting.triangle(posteriors, (), {"b": ["sigma8"]})
    contours, first, second = (axes for axes in figure.axes if axes.get_subplotspec())
    assert [line.get_linestyle() for line in first.lines[:2]] == ["-", "-"]
    assert [line.get_linestyle() for line in second.lines[:2]] == ["-", "--"]
    assert [each.get_linestyle()[0][1] is None for each in contours.collections] == [True, False]
    assert "dashed: the data do not constrain one of the two parameters" in texts(figure)
    assert "dashed" not in texts(plotting.triangle(posteriors))


def test_what_the_data_do_not_constrain_is_the_priors_or_has_no_information():
    table = pd.DataFrame(
        {
            "parameter": ["Omega_c", "sigma8", "w0"],
            "estimator": "cross",
            "with_priors": True,
            "systematics": "marginalised",
            "verdict": ["set by the prior", "converged", "limited by simulations"],
            "boxes_needed": [4.0, 4.0, np.inf],
        }
    )
    assert plotting.priors_own(table) == ["Omega_c", "w0", "Omega_m"]


def test_labels_of_ticks_keep_away_from_the_next_panel():
    matrix = np.diag([1e-4, 1e-4])
    figure = plotting.triangle({"a": ParameterCovariance(NAMES, FIDUCIAL, matrix)})
    figure.canvas.draw()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = axes.get_xticks()
        assert len(ticks) >= 2
        assert np.all((ticks > low + 0.1 * (high - low)) & (ticks < high - 0.1 * (high - low)))


def test_reliability_leaves_out_points_at_infinity():
    curve = pd.DataFrame(
        {
            "boxes": [4, 2] * 2,
            "estimator": ["cross"] * 2 + ["standard"] * 2,
            "parameter": "h",
            "sigma": [0.1, np.inf] * 2,
        }
    )
    figure = plotting.reliability({"C_ell": curve})
    assert figure.axes[0].get_ylim()[1] < 0.2
