"""Titles and captions of figures, by the function of `lenscast.figures` that draws them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Caption(NamedTuple):
    """What a figure shows.

    Attributes
    ----------
    category
        Group of figures.
    title
        Name of the figure, in a few words.
    text
        How to read it.
    """

    category: str
    title: str
    text: str


_FORECAST, _DATA, _CHECKS, _TRAINING = "Forecast", "Maps and data", "Checks", "Corrections"

CAPTIONS: Mapping[str, Caption] = MappingProxyType(
    {
        "triangle": Caption(
            _FORECAST,
            "Contours",
            "Gaussian posteriors with priors, from the Fisher matrix of the headline estimator, at 68 % and 95 % in "
            "two dimensions. Contours of parameters that the data do not constrain are dashed.",
        ),
        "systematics": Caption(
            _FORECAST,
            "Contours with systematics known",
            "Contours of cosmology with nuisance parameters marginalised, and with nuisance parameters fixed.",
        ),
        "reliability": Caption(
            _FORECAST,
            "Errors against the number of boxes",
            "Errors from groups of fewer boxes with derivatives. Errors of the standard estimator grow with the number "
            "of boxes, since noise poses as information; those of the cross estimator are to be flat.",
        ),
        "posteriors": Caption(
            _FORECAST,
            "Contours of chains",
            "Posteriors sampled with the likelihood of a covariance from simulations (Sellentin & Heavens 2016) inside "
            "the ranges of the parameters, compared with the Gaussian ones of Fisher matrices, dashed.",
        ),
        "sbi_triangle": Caption(
            _FORECAST,
            "Contours learnt from simulations",
            "Posteriors given the fiducial data, learnt by neural networks from simulations with other parameters, "
            "compared with the Gaussian ones of Fisher matrices, dashed; and their calibration on held-out boxes.",
        ),
        "field_posterior": Caption(
            _FORECAST,
            "Contours of the field level",
            "Posterior given one convergence map, with the initial field marginalised, compared with the Gaussian ones "
            "of Fisher matrices for the area of this map.",
        ),
        "field_coverage": Caption(
            _FORECAST,
            "Coverage of the field level",
            "Posteriors given maps whose truth is known: distribution of the ranks of the true parameters, and the "
            "share of the initial field that is known, from the variance of the draws and from the true field.",
        ),
        "field_recovery": Caption(
            _FORECAST,
            "Recovered initial field",
            "Share of the initial field that one map knows by scale: from the variance of the draws, and from the true "
            "field of the mock.",
        ),
        "maps": Caption(
            _DATA,
            "Maps and their derivatives",
            "One convergence map, the same map with shape noise, and its derivatives with respect to the parameters.",
        ),
        "spectrum": Caption(
            _DATA,
            "Spectra and theory",
            "Mean spectra with the error of the mean and of one field, without the mean of the shape noise. Theory, of "
            "maps that are not band-passed, is halofit (Limber), and the same seen through lens planes, pixels and "
            "region.",
        ),
        "counts": Caption(
            _DATA,
            "Data and their mean over the shape noise",
            "Data of noisy maps with the error of one field, and the mean over the shape noise that is differentiated.",
        ),
        "derivatives": Caption(
            _DATA,
            "Derivatives of the data",
            "Mean Jacobian over boxes with its error, for each statistic and parameter.",
        ),
        "correlation": Caption(
            _DATA,
            "Correlation of the data",
            "Correlation matrix of the last data vector, from maps of independent boxes.",
        ),
        "matter_power": Caption(
            _CHECKS, "Matter power", "Matter power of the simulations today compared with theory, with its resolution."
        ),
        "check_derivatives": Caption(
            _CHECKS,
            "Automatic derivatives and differences",
            "Automatic derivatives compared with central differences of the whole forward model on the same seeds.",
        ),
        "validation_spectra": Caption(
            _CHECKS, "Spectra and finer simulations", "Spectra compared with finer simulations of the same phases."
        ),
        "validation_counts": Caption(
            _CHECKS, "Counts and finer simulations", "Counts compared with finer simulations of the same phases."
        ),
        "validation_projection": Caption(
            _CHECKS, "Born approximation", "Ray-traced maps and their statistics compared with the Born approximation."
        ),
        "tomography": Caption(
            _CHECKS, "Tomographic spectra", "Spectra of lensing and alignments of all pairs compared with theory."
        ),
        "tomography_derivatives": Caption(
            _CHECKS, "Derivatives of tomographic spectra", "Derivatives of spectra compared with those of theory."
        ),
        "loss": Caption(_TRAINING, "Loss", "Loss of the training against the epoch."),
        "matter": Caption(
            _TRAINING,
            "Corrected matter power",
            "Power and cross-correlation of corrected simulations and their reference.",
        ),
        "slices": Caption(_TRAINING, "Slices", "Density of corrected simulations and their reference."),
    }
)
