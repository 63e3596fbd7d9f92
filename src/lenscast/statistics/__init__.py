"""Summary statistics of convergence maps, their means over shape noise and the derivatives of these.

Importing this package does not load JAX, since configs are read with it.

    observation = Observation(Region(pixels=256, field_deg=5.0, border=0), ShapeNoise(rms=(0.05,)))
    spectrum = PowerSpectrum(ell_edges=(144, 432, 720))
    mean, derivative = jax.jvp(lambda k: spectrum.expected(k, noise, observation), (kappa,), (tangent,))
"""

from lenscast.statistics.peaks import Peaks
from lenscast.statistics.power_spectrum import PowerSpectrum, StarletPowerSpectrum
from lenscast.statistics.region import Region
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.statistic import Bin, Observation, Statistic

__all__ = [
    "Bin",
    "Observation",
    "Peaks",
    "PowerSpectrum",
    "Region",
    "ShapeNoise",
    "StarletPowerSpectrum",
    "Statistic",
]
