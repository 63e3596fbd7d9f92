"""Theory beside the simulations: matter power of CAMB, and the convergence spectra that follow from it."""

from lenscast.theory.ccl import Components, ccl_components
from lenscast.theory.matter import MatterPower, matter_power, matter_power_table
from lenscast.theory.spectra import (
    NODES_PER_BIN,
    Galaxies,
    bin_averages,
    limber,
    pairs,
    plane_power,
    plane_sum,
    seen_by,
    spectra_table,
    thin_planes,
)

__all__ = [
    "NODES_PER_BIN",
    "Components",
    "Galaxies",
    "MatterPower",
    "bin_averages",
    "ccl_components",
    "limber",
    "matter_power",
    "matter_power_table",
    "pairs",
    "plane_power",
    "plane_sum",
    "seen_by",
    "spectra_table",
    "thin_planes",
]
