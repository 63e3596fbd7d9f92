"""Lensing: the lightcone of a periodic box, source weights, convergence on straight or bent rays, shape noise."""

from lenscast.lensing.born import convergence_born
from lenscast.lensing.lightcone import Lightcone, Orientation, density_planes, orientation, plane_window, sky
from lenscast.lensing.noise import shape_noise, shape_noise_rms
from lenscast.lensing.raytracing import DeflectedSky, Distortion, deflected_sky, distortion
from lenscast.lensing.sources import lensing_weights

__all__ = [
    "DeflectedSky",
    "Distortion",
    "Lightcone",
    "Orientation",
    "convergence_born",
    "deflected_sky",
    "density_planes",
    "distortion",
    "lensing_weights",
    "orientation",
    "plane_window",
    "shape_noise",
    "shape_noise_rms",
    "sky",
]
