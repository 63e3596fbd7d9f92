"""The posterior of the field level as samplers take it: a function of a position in NumPy, one program for all maps."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float32, Float64

from lenscast.inference.field_posterior import FieldPosterior
from lenscast.sections.lightcone import Lightcone

__all__ = ["FieldDensity", "field_targets"]


@runtime_checkable
class FieldDensity(Protocol):
    """A `LogDensity` whose likelihood can count in part."""

    def __call__(
        self, position: Float64[np.ndarray, " dim"], share: float = 1.0
    ) -> tuple[float, Float64[np.ndarray, " dim"]]:
        """Logarithm of the density, and its gradient.

        Parameters
        ----------
        position
            White noise of the initial field, and coordinates of the parameters.
        share
            Power of the likelihood: 0 for the prior, 1 for the posterior.
        """


def field_targets(
    posterior: FieldPosterior, of_sky: bool = False
) -> Callable[[Float32[Array, "source y x"]], FieldDensity]:
    """Function from a map to the logarithm of its posterior density with gradient, for samplers in NumPy.

    One program serves all maps. It is compiled at the first call.

    Parameters
    ----------
    posterior
        Posterior density.
    of_sky
        Whether the maps are of a sky that this code did not make.

    Raises
    ------
    ValueError
        For a sky, if there are more planes than slabs of the box: the same modes then lens several times.
    """
    if of_sky:
        _refuse_repeated_box(posterior.experiment.lightcone)
    # leaves as arguments: JAX would compute the hash of the whole experiment at each call
    leaves, structure = jax.tree.flatten(posterior)

    @jax.jit
    def compiled(position: Array, observed: Array, share: Array, leaves: list[Array]) -> tuple[Array, Array]:
        return jax.value_and_grad(jax.tree.unflatten(structure, leaves).log_density)(position, observed, share)

    def of_map(observed: Float32[Array, "source y x"]) -> FieldDensity:
        def target(
            position: Float64[np.ndarray, " dim"], share: float = 1.0
        ) -> tuple[float, Float64[np.ndarray, " dim"]]:
            value, gradient = compiled(position, observed, np.float64(share), leaves)
            return float(value), np.asarray(gradient)

        return target

    return of_map


def _refuse_repeated_box(lightcone: Lightcone) -> None:
    """Refuse a model of a real sky in which planes repeat the box."""
    if lightcone.planes > lightcone.slabs_per_box:
        raise ValueError(
            f"{lightcone.planes} planes show a box of {lightcone.slabs_per_box} slabs "
            f"{lightcone.planes / lightcone.slabs_per_box:.3g} times: on a sky that this code did not make, the same "
            "modes do not lens again, and the posterior would be too narrow; raise lightcone.slabs_per_box with "
            f"simulation.box_size until the box reaches the last plane ({lightcone.planes * lightcone.thickness:g} "
            "Mpc/h), or give a map of this code"
        )
