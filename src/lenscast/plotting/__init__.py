"""Figures: functions from arrays and tables to matplotlib figures, in one style.

Nothing here computes results, and nothing knows a statistic by its name: a `lenscast.statistics.Statistic` says how it
is drawn. Functions return a `Figure` and leave no global state; `save` writes it as PNG. `lenscast.figures` goes from
the files of a campaign to these functions.
"""

from lenscast.plotting.counts import counts
from lenscast.plotting.derivatives import derivatives, derivatives_check
from lenscast.plotting.forecasts import correlation, priors_own, reliability, triangle, verdict_note
from lenscast.plotting.maps import maps_and_tangents
from lenscast.plotting.matter import density_slices, matter_comparison, matter_power
from lenscast.plotting.posteriors import SampledPosterior, field_coverage, field_posterior, field_recovery, posteriors
from lenscast.plotting.projection import ProjectedMaps, validation_projection
from lenscast.plotting.spectra import Nyquist, power_spectra
from lenscast.plotting.style import save
from lenscast.plotting.tomography import tomography, tomography_derivatives
from lenscast.plotting.training import loss_curves
from lenscast.plotting.validation import validation_counts, validation_spectra

__all__ = [
    "Nyquist",
    "ProjectedMaps",
    "SampledPosterior",
    "correlation",
    "counts",
    "density_slices",
    "derivatives",
    "derivatives_check",
    "field_coverage",
    "field_posterior",
    "field_recovery",
    "loss_curves",
    "maps_and_tangents",
    "matter_comparison",
    "matter_power",
    "posteriors",
    "power_spectra",
    "priors_own",
    "reliability",
    "save",
    "tomography",
    "tomography_derivatives",
    "triangle",
    "validation_counts",
    "validation_projection",
    "validation_spectra",
    "verdict_note",
]
