"""Lensing: the lightcone of a periodic box, source weights, convergence and shape noise."""

from lenscast.lensing.born import convergence_born
from lenscast.lensing.lightcone import Lightcone, Orientation, density_planes, orientation, plane_window, sky
from lenscast.lensing.noise import shape_noise, shape_noise_rms
from lenscast.lensing.sources import lensing_weights

__all__ = [
    "Lightcone",
    "Orientation",
    "convergence_born",
    "density_planes",
    "lensing_weights",
    "orientation",
    "plane_window",
    "shape_noise",
    "shape_noise_rms",
    "sky",
]
