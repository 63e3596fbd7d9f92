"""Flat w0wa-CDM cosmology: parameters, background, growth and linear power, differentiable in both modes.

`cosmology` tabulates everything once; gravity and lensing receive the `Cosmology` and evaluate its tables. A halo model
on top of these tables gives the suppression of matter power by baryonic feedback.
"""

from lenscast.cosmology.baryons import baryon_suppression
from lenscast.cosmology.cosmology import Cosmology, cosmology
from lenscast.cosmology.parameters import Parameters, basis

__all__ = ["Cosmology", "Parameters", "baryon_suppression", "basis", "cosmology"]
