"""Flat w0wa-CDM cosmology: parameters, background, growth and linear power, differentiable in both modes.

`cosmology` tabulates everything once; gravity and lensing receive the `Cosmology` and evaluate tables. On top of it
a halo model gives the suppression of matter power by baryonic feedback.
"""

from lenscast.cosmology.baryons import baryon_suppression
from lenscast.cosmology.parameters import LABELS, PARAMETER_NAMES, Parameters, basis
from lenscast.cosmology.tables import Cosmology, cosmology

__all__ = ["LABELS", "PARAMETER_NAMES", "Cosmology", "Parameters", "baryon_suppression", "basis", "cosmology"]
