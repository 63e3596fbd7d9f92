"""What the planes do to the light of each source, in the numbers that a map needs: lensing, alignment, deflection."""

from typing import NamedTuple

from jaxtyping import Array, Float

from lenscast.cosmology import Cosmology
from lenscast.lensing.alignment import AlignmentModel, alignment_weights
from lenscast.lensing.lightcone import Lightcone
from lenscast.lensing.sources import Sources, lensing_weights, plane_strength, source_shares
from lenscast.lensing.systematics import Systematics

__all__ = ["Weights", "plane_weights"]


class Weights(NamedTuple):
    """Weights of the planes.

    Attributes
    ----------
    lensing : convergence per unit overdensity, see `lensing_weights`.
    alignment : convergence that intrinsic alignments mimic, per unit overdensity, see `alignment_weights`.
    strength : of deflections, see `plane_strength`.
    """

    lensing: Float[Array, "plane source"]
    alignment: Float[Array, "plane source"]
    strength: Float[Array, " plane"]


def plane_weights(
    sources: Sources,
    systematics: Systematics,
    cosmology: Cosmology,
    lightcone: Lightcone,
    alignment: AlignmentModel,
) -> Weights:
    """All weights of the planes.

    Parameters
    ----------
    sources : redshifts of the sources.
    systematics : intrinsic alignments and shifts of redshift.
    cosmology : distances, growth and matter density.
    lightcone : planes.
    alignment : constants of intrinsic alignments.
    """
    shift = systematics.delta_z
    shares = source_shares(sources, shift, cosmology, lightcone)
    return Weights(
        lensing_weights(sources, shift, cosmology, lightcone),
        alignment_weights(shares, systematics.A_IA, systematics.eta, cosmology, lightcone, alignment),
        plane_strength(cosmology, lightcone),
    )
