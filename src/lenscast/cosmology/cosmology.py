"""A cosmology: its parameters, and the tables of all functions of time and scale that follow from them.

Each table is in the module of its physics; here they meet in one pytree, which is computed once and passed on.
"""

import equinox as eqx
import jax

from lenscast.cosmology.background import Distances, distances
from lenscast.cosmology.growth import Growth, growth
from lenscast.cosmology.parameters import Parameters
from lenscast.cosmology.power import PowerTable, power_table


class Cosmology(eqx.Module):
    """Parameters and the tables that follow from them; built by `cosmology`.

    Attributes
    ----------
    parameters
        Cosmological parameters.
    distances
        Comoving distance and scale factor.
    growth
        Growth factors D1, D2 and their derivatives.
    power
        Linear matter power spectrum today.
    """

    parameters: Parameters
    distances: Distances
    growth: Growth
    power: PowerTable


@jax.jit
def cosmology(parameters: Parameters) -> Cosmology:
    """Tabulate distances, growth and linear power of one set of parameters, compiled and traced once."""
    return Cosmology(parameters, distances(parameters), growth(parameters), power_table(parameters))
