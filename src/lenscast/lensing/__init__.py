"""Lensing: source bins and their kernels, lens planes, the sky that rays see, alignments, systematics and feedback.

`density_planes` cuts planes from a box and `with_feedback` adds baryons; `draw_view` and `look` give what the rays of
one realisation meet; `plane_kernels` and `convergence` make the maps; `limber_sum` makes the spectra of theory.
"""

from lenscast.lensing.alignment import AlignmentConstants, alignment_kernel
from lenscast.lensing.correlation import convergence_correlation, plane_correlation
from lenscast.lensing.feedback import suppression_wavenumbers, with_feedback, with_suppressed_power
from lenscast.lensing.kernels import (
    Kernels,
    convergence,
    convergence_born,
    lensing_kernel,
    limber_sum,
    plane_kernels,
    plane_strength,
    source_shares,
)
from lenscast.lensing.planes import density_planes, plane_window
from lenscast.lensing.rays import Distortion, deflected_sky, distortion
from lenscast.lensing.sky import look, straight_sky
from lenscast.lensing.systematics import Systematics
from lenscast.lensing.views import View, VisiblePlanes, draw_view, draw_views
from lenscast.sources import Sources, redshift_distributions, source_planes, tabulated, tomographic

__all__ = [
    "AlignmentConstants",
    "Distortion",
    "Kernels",
    "Sources",
    "Systematics",
    "View",
    "VisiblePlanes",
    "alignment_kernel",
    "convergence",
    "convergence_born",
    "convergence_correlation",
    "deflected_sky",
    "density_planes",
    "distortion",
    "draw_view",
    "draw_views",
    "lensing_kernel",
    "limber_sum",
    "look",
    "plane_correlation",
    "plane_kernels",
    "plane_strength",
    "plane_window",
    "redshift_distributions",
    "source_planes",
    "source_shares",
    "straight_sky",
    "suppression_wavenumbers",
    "tabulated",
    "tomographic",
    "with_feedback",
    "with_suppressed_power",
]
