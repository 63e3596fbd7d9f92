"""Light on its way through the planes, on straight lines or deflected by them, and the convergence that it shows."""

from jaxtyping import Array, Float, Float32

from lenscast.lensing.born import Seen, convergence_born
from lenscast.lensing.lightcone import Lightcone, Orientation, sky
from lenscast.lensing.raytracing import deflected_sky
from lenscast.lensing.weights import Weights

__all__ = ["convergence", "look"]


def look(
    planes: Float32[Array, "plane 3 slab mesh mesh"],
    view: Orientation,
    strength: Float[Array, " plane"],
    lightcone: Lightcone,
    ray_tracing: bool,
) -> Seen:
    """What the rays of all pixels meet on each plane.

    Parameters
    ----------
    planes : overdensity of the slabs of the box, from `density_planes`.
    view : orientation of each plane.
    strength : of deflections, see `plane_strength`.
    lightcone : geometry.
    ray_tracing : whether planes deflect the light; without, the Born approximation.
    """
    if ray_tracing:
        return deflected_sky(planes, view, strength, lightcone)
    straight = sky(planes, view, lightcone)
    return Seen(straight, straight)


def convergence(seen: Seen, weights: Weights) -> Float32[Array, "source y x"]:
    """Convergence of each source, with what alignments add to it; linear in the weights.

    Parameters
    ----------
    seen : what rays meet.
    weights : of the planes.
    """
    return convergence_born(seen.lensing, weights.lensing) + convergence_born(seen.matter, weights.alignment)
