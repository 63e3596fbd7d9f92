"""Lensing: the lightcone of a periodic box, sources and their systematics, convergence, rays and shape noise."""

from lenscast.lensing.alignment import AlignmentModel, alignment_weights
from lenscast.lensing.born import Seen, convergence_born
from lenscast.lensing.feedback import suppressed, suppression_wavenumbers, with_feedback
from lenscast.lensing.light import convergence, look
from lenscast.lensing.lightcone import Lightcone, Orientation, density_planes, orientation, plane_window, sky
from lenscast.lensing.noise import shape_noise, shape_noise_rms
from lenscast.lensing.raytracing import Distortion, deflected_sky, distortion
from lenscast.lensing.sources import Sources, lensing_weights, plane_strength, source_shares
from lenscast.lensing.systematics import Systematics
from lenscast.lensing.weights import Weights, plane_weights

__all__ = [
    "AlignmentModel",
    "Distortion",
    "Lightcone",
    "Orientation",
    "Seen",
    "Sources",
    "Systematics",
    "Weights",
    "alignment_weights",
    "convergence",
    "convergence_born",
    "deflected_sky",
    "density_planes",
    "distortion",
    "lensing_weights",
    "look",
    "orientation",
    "plane_strength",
    "plane_weights",
    "plane_window",
    "shape_noise",
    "shape_noise_rms",
    "sky",
    "source_shares",
    "suppressed",
    "suppression_wavenumbers",
    "with_feedback",
]
