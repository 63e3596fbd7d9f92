"""Theory that simulations are compared with: the matter power of CAMB, and the convergence spectra that follow from it.

Nothing here enters a forecast. CAMB and CCL are optional dependencies (the extra `theory`).
"""

from lenscast.theory.ccl import Components, ccl_components
from lenscast.theory.components import theory_components, theory_derivatives
from lenscast.theory.galaxies import Galaxies
from lenscast.theory.matter import MatterPower, camb_power
from lenscast.theory.planes import limber, plane_power
from lenscast.theory.spectra import NODES_PER_BIN, MeasuredSpectrum, bandpowers, bin_averages, spectra_table

__all__ = [
    "NODES_PER_BIN",
    "Components",
    "Galaxies",
    "MatterPower",
    "MeasuredSpectrum",
    "bandpowers",
    "bin_averages",
    "camb_power",
    "ccl_components",
    "limber",
    "plane_power",
    "spectra_table",
    "theory_components",
    "theory_derivatives",
]
