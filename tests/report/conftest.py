"""A report of synthetic tables and figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lenscast import experiment, plotting
from lenscast.report.page import Tables, report_page

CONFIG = Path(__file__).parents[1] / "workflow" / "config.yaml"
FIGURES = {"triangle": "triangle", "reliability": "reliability", "power_spectrum": "spectrum", "maps": "maps"}


def tables(verdicts, reasons):
    """Tables of three parameters with these verdicts."""
    names = ["Omega_c", "sigma8", "S8"]
    errors = pd.DataFrame(
        {
            "parameter": names,
            "fiducial": [0.2589, 0.8159, 0.826],
            "sigma": [0.0125, 0.02136, np.inf],
            "sigma_low": [0.011, 0.019, np.nan],
            "sigma_high": [0.014, 0.024, np.nan],
            "verdict": verdicts,
            "reason": reasons,
            "prior": [0.2, np.nan, 0.3],
        }
    )
    qualified = {"estimator": "cross", "systematics": "marginalised", "boxes_needed": [24.0, 120.0, np.inf]}
    numbers = {"boxes": 24, "n_effective": 355.3, "area_ratio": 1213.6}
    cases = [errors.assign(**qualified, **numbers, with_priors=each) for each in (True, False)]
    directions = pd.DataFrame(
        {
            "information": [29_912.3, 0.03],
            "information_error": [290.0, 0.01],
            "verdict": ["measured", "set by the prior"],
            "reason": [np.nan, np.nan],
            "combination": ["0.86 Omega_c + 0.44 sigma8", "0.9 sigma8"],
        }
    )
    left = {"derivative_left": [0.02, 0.41], "verdict": ["resolved", "not resolved"]}
    resolution = pd.DataFrame({"level": "particles", "name": ["first bin", "second bin"], **left})
    bins = pd.DataFrame({"verdict": ["Gaussian", "few", "few", "skewed"], "used": [True, True, False, True]})
    return Tables(errors, pd.concat(cases), directions, resolution, bins)


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """HTML of a report."""
    folder = tmp_path_factory.mktemp("figures")
    for name in FIGURES:
        figure = Figure(figsize=(7, 3))
        figure.subplots().plot([0, 1], [0, 1])
        plotting.save(figure, folder / f"{name}.png")
    limited = "limited by simulations"
    found = {
        "C_ell": tables(["converged", limited, limited], ["", "noise of the Jacobian", "noise of the Jacobian"]),
        "peaks": tables([limited, "set by the prior", "converged"], ["resolution in particles", "", ""]),
    }
    figures = {name: (function, folder / f"{name}.png") for name, function in FIGURES.items()}
    provenance = {"git_commit": "0123456789abcdef", "versions": '{"lenscast": "0.1.0"}'}
    described = experiment.read(CONFIG)
    return report_page(described, found, figures, {"run": "tiny", "note": "<b>&"}, provenance)
