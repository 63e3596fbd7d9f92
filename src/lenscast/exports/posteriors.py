"""Gaussian posteriors and Fisher matrices as files of samplers: GetDist, Cobaya, CosmoSIS, and a LaTeX table.

Parameters have the names of lenscast in all of them but CosmoSIS, whose parameters have sections.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import yaml

from lenscast.exports.forecast_files import ForecastFiles
from lenscast.fisher.derived import derived_parameters
from lenscast.fisher.shown_tables import posterior_rows
from lenscast.io.atomic import appearing
from lenscast.parameters import label, limits, stem

DIGITS = "%.16e"

COSMOSIS: Mapping[str, str] = MappingProxyType(
    {
        "Omega_c": "cosmological_parameters--omega_c",
        "Omega_b": "cosmological_parameters--omega_b",
        "h": "cosmological_parameters--h0",
        "n_s": "cosmological_parameters--n_s",
        "sigma8": "cosmological_parameters--sigma_8",
        "w0": "cosmological_parameters--w",
        "wa": "cosmological_parameters--wa",
        "A_IA": "intrinsic_alignment_parameters--a",
        "eta": "intrinsic_alignment_parameters--alpha",
        "log10_T_AGN": "halo_model_parameters--logt_agn",
        "delta_z": "wl_photoz_errors--bias",
        "m": "shear_calibration_parameters--m",
    }
)
"""Section and name of each parameter in CosmoSIS; those of a source bin end with its number."""


def save_getdist(root: str | Path, forecast: ForecastFiles, fiducial: Mapping[str, float]) -> None:
    """Write ``<root>.covmat``, ``<root>.paramnames`` and ``<root>.ranges`` of the posterior with priors.

    Parameters
    ----------
    root
        Path without its ending. Cobaya reads ``<root>.covmat`` too, as the covariance of its proposals.
    forecast
        Forecast of one data vector.
    fiducial
        Value of each parameter, varied or not.
    """
    posterior, derived = forecast.posterior, derived_parameters(forecast.names, fiducial)
    with appearing(Path(f"{root}.covmat")) as temporary:
        np.savetxt(temporary, posterior.matrix, DIGITS, header=" ".join(posterior.names))
    symbols = {name: label(name) or name for name in posterior.names}
    names = [f"{name}\t{symbol}" for name, symbol in symbols.items()] + [
        f"{each.name}*\t{label(each.name)}" for each in derived
    ]
    _write(f"{root}.paramnames", names)
    ranges = {name: ["N" if end is None else repr(end) for end in limits(name)] for name in posterior.names}
    _write(f"{root}.ranges", ["\t".join([name, *ends]) for name, ends in ranges.items()])


def save_samples(root: str | Path, forecast: ForecastFiles, fiducial: Mapping[str, float], number: int) -> None:
    """Write ``<root>.1.txt``, samples of the Gaussian posterior with priors, for ``getdist.loadMCSamples(root)``.

    Samples are not cut at the limits of ``<root>.ranges``, beyond which a Gaussian may reach.

    Parameters
    ----------
    root, forecast, fiducial
        As for `save_getdist`.
    number
        Number of samples; the same ones in every run.
    """
    posterior = forecast.posterior
    draws = np.random.default_rng(0).standard_normal((number, len(posterior.names)))
    steps = draws @ np.linalg.cholesky(posterior.matrix).T
    derived = [
        each.value + steps @ [each.gradient.get(name, 0.0) for name in posterior.names]
        for each in derived_parameters(forecast.names, fiducial)
    ]
    # weight and -ln posterior come first
    columns = [np.ones(number), np.sum(draws**2, axis=1) / 2, *(posterior.fiducial + steps).T, *derived]
    with appearing(Path(f"{root}.1.txt")) as temporary:
        np.savetxt(temporary, np.column_stack(columns), "%.8e")


def save_cobaya(path: str | Path, forecast: ForecastFiles, covmat: str) -> None:
    """Write the parameters for Cobaya, with their priors, and its sampler with the covariance of its proposals.

    Parameters
    ----------
    path
        YAML file to make.
    forecast
        Forecast of one data vector.
    covmat
        Path of the covariance, as a call of Cobaya is to find it.
    """
    sigma = dict(zip(forecast.names, forecast.posterior.marginal_errors, strict=True))
    widths = forecast.prior_widths
    parameters = {}
    for name, value in zip(forecast.names, map(float, forecast.fiducial), strict=True):
        low, high = limits(name)
        # a parameter without a prior and without limits has a flat one that the posterior does not reach
        low = value - 100 * float(sigma[name]) if low is None else low
        high = value + 100 * float(sigma[name]) if high is None else high
        gaussian = {"dist": "norm", "loc": value, "scale": widths.get(name)}
        parameters[name] = {
            "prior": gaussian if name in widths else {"min": low, "max": high},
            "ref": {"dist": "norm", "loc": value, "scale": float(sigma[name])},
            "proposal": float(sigma[name]),
            "latex": label(name) or name,
        }
    _write(path, [yaml.safe_dump({"params": parameters, "sampler": {"mcmc": {"covmat": covmat}}}, sort_keys=False)])


def save_cosmosis(path: str | Path, forecast: ForecastFiles, with_priors: bool) -> None:
    """Write the Fisher matrix of the headline as the sampler ``fisher`` of CosmoSIS does.

    Parameters
    ----------
    path
        Text file to make, which ``cosmosis-postprocess`` reads.
    forecast
        Forecast of one data vector.
    with_priors
        Whether the information of the priors is in the matrix.
    """
    names = []
    for name in forecast.names:
        found = COSMOSIS.get(stem(name), f"lenscast--{stem(name)}")
        number = name.removeprefix(stem(name)).removeprefix("_")
        names.append(found + (f"_{number}" if number and stem(name) == "delta_z" else number))
    lines = ["#" + "\t".join(names), "#sampler=fisher", f"#n_varied={len(names)}"]
    lines += [f"#mu_{index}={float(value)!r}" for index, value in enumerate(forecast.fiducial)]
    lines.append(f"## lenscast, {'with' if with_priors else 'without'} priors")
    matrix = forecast.headline + with_priors * forecast.priors
    _write(path, lines + ["\t".join(repr(float(value)) for value in row) for row in matrix])


def save_latex(path: str | Path, forecasts: Mapping[str, ForecastFiles]) -> None:
    r"""Write the errors of all data vectors as a LaTeX table, one row per parameter, for ``\usepackage{booktabs}``.

    A dagger marks errors that are not converged.

    Parameters
    ----------
    path
        File to make.
    forecasts
        Forecasts by data vector.
    """
    tables = {name: posterior_rows(each.table).set_index("parameter") for name, each in forecasts.items()}
    parameters = list(dict.fromkeys(name for table in tables.values() for name in table.index))
    lines = [rf"\begin{{tabular}}{{l{'r' * (1 + len(tables))}}}", r"\toprule"]
    headings = [name.replace("_", r"\_") for name in tables]
    lines += [" & ".join(["parameter", "fiducial", *(rf"$\sigma$ ({name})" for name in headings)]) + r" \\"]
    lines.append(r"\midrule")
    for name in parameters:
        rows = [table.loc[name] if name in table.index else None for table in tables.values()]
        fiducial = next(row["fiducial"] for row in rows if row is not None)
        symbol = label(name) or rf"\mathrm{{{name}}}"
        lines.append(" & ".join([f"${symbol}$", f"{fiducial:.4g}", *map(_error, rows)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines.append(r"% dagger: set by the prior, or limited by the simulations; 68 \% errors with priors")
    _write(path, lines)


def _error(row: pd.Series | None) -> str:
    """An error with two significant digits, and a dagger where it is not converged."""
    if row is None:
        return "--"
    mark = "" if row["verdict"] == "converged" else r"^\dagger"
    return rf"${row['sigma']:#.2g}{mark}$" if np.isfinite(row["sigma"]) else r"$\infty$"


def _write(path: str | Path, lines: list[str]) -> None:
    """Write lines of text; the file appears whole or not at all."""
    with appearing(Path(path)) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
