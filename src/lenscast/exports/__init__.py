"""Forecasts in the formats of other codes: SACC, GetDist, Cobaya, CosmoSIS, LaTeX, and one HDF5 for xarray.

`forecast_files` reads a forecast and chooses the Jacobian with which a Gaussian likelihood gives back its errors. The
other modules write one kind of file each. docs/exports.md says what the files hold.
"""

from lenscast.exports.dataset import save_dataset
from lenscast.exports.forecast_files import ForecastFiles, load_forecast_files
from lenscast.exports.posteriors import save_cobaya, save_cosmosis, save_getdist, save_latex, save_samples
from lenscast.exports.sacc_file import save_sacc

__all__ = [
    "ForecastFiles",
    "load_forecast_files",
    "save_cobaya",
    "save_cosmosis",
    "save_dataset",
    "save_getdist",
    "save_latex",
    "save_sacc",
    "save_samples",
]
