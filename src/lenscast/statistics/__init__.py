"""Summary statistics of convergence maps, their means over shape noise and the derivatives of these.

statistics = statistics_from_config(config, pixels=256, field_deg=5.0, noise=ShapeNoise(rms=(0.05,)))
counts = statistics[0].measured(kappa, noise)
mean, derivative = jax.jvp(lambda kappa: statistics[0].expected(kappa, noise), (kappa,), (tangent,))
"""

from lenscast.statistics.peaks import Peaks
from lenscast.statistics.power_spectrum import PowerSpectrum
from lenscast.statistics.region import Region
from lenscast.statistics.registry import analysis_region, statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise
from lenscast.statistics.starlet import starlet
from lenscast.statistics.statistic import Bin, Statistic

__all__ = [
    "Bin",
    "Peaks",
    "PowerSpectrum",
    "Region",
    "ShapeNoise",
    "Statistic",
    "analysis_region",
    "starlet",
    "statistics_from_config",
]
