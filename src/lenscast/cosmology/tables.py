"""A cosmology: parameters, and the tables of all that follows from them."""

import equinox as eqx

from lenscast.cosmology.background import Distances, distances
from lenscast.cosmology.growth import Growth, growth
from lenscast.cosmology.parameters import Parameters
from lenscast.cosmology.power import PowerTable, power_table

__all__ = ["Cosmology", "cosmology"]


class Cosmology(eqx.Module):
    """Parameters and what follows from them; built by `cosmology`.

    Attributes
    ----------
    parameters : cosmological parameters.
    distances : comoving distance and scale factor.
    growth : growth factors D1, D2 and their derivatives.
    power : linear matter power spectrum today.
    """

    parameters: Parameters
    distances: Distances
    growth: Growth
    power: PowerTable


def cosmology(parameters: Parameters) -> Cosmology:
    """Cosmology of the given parameters."""
    return Cosmology(parameters, distances(parameters), growth(parameters), power_table(parameters))
