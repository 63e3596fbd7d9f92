"""Corrections of small scales: what a particle mesh misses near its cell, learned from simulations that resolve it.

A `ForceCorrection` (`HPN`, `PublishedHPN`) multiplies the modes of the potential at every step; `PGD` displaces the
particles of an output. Gravity knows neither: `corrected` turns a correction into the callables of a
`lenscast.gravity.Method`. `training` and `pgd_fit` fit corrections to the simulations of `reference`; `particle_power`
measures them. `lenscast.trained` holds the weights that come with the package.

method = corrected(correction, mesh, integrator, cosmology)
states = nbody(start, a, cosmology, method)
"""

from lenscast.corrections.method import Correction, corrected
from lenscast.corrections.network import HPN, ForceCorrection
from lenscast.corrections.pgd import PGD
from lenscast.corrections.published import PublishedHPN

__all__ = ["HPN", "PGD", "Correction", "ForceCorrection", "PublishedHPN", "corrected"]
