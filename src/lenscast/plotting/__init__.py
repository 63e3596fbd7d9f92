"""Figures: functions from arrays and tables to matplotlib figures, in one style.

Nothing here computes results: what a figure shows is what it is given. Functions return a `Figure` and leave no global
state; `save` writes it as PNG. LaTeX labels of parameters are those of `lenscast.cosmology.LABELS`.
"""

from lenscast.plotting.derivatives import derivatives, derivatives_check
from lenscast.plotting.forecasts import convergence, correlation, triangle, verdict_note
from lenscast.plotting.maps import maps_and_tangents
from lenscast.plotting.matter import density_slices, matter_comparison
from lenscast.plotting.projection import validation_projection
from lenscast.plotting.style import save, shared_name
from lenscast.plotting.summaries import Nyquist, matter_power, peak_counts, power_spectra
from lenscast.plotting.tomography import tomography, tomography_derivatives
from lenscast.plotting.training import loss_curves
from lenscast.plotting.validation import validation_peaks, validation_spectra

__all__ = [
    "Nyquist",
    "convergence",
    "correlation",
    "density_slices",
    "derivatives",
    "derivatives_check",
    "loss_curves",
    "maps_and_tangents",
    "matter_comparison",
    "matter_power",
    "peak_counts",
    "power_spectra",
    "save",
    "shared_name",
    "tomography",
    "tomography_derivatives",
    "triangle",
    "validation_peaks",
    "validation_projection",
    "validation_spectra",
    "verdict_note",
]
