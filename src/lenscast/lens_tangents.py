"""Derivatives of lenses with respect to all parameters, and of what a view shows of them.

A parameter moves the lens planes, their kernels, or both. Planes without baryons bring the derivatives with respect to
cosmological parameters with them (`PlanesAndTangents`); the rest follows here, without a simulation: the kernels in
every cosmology, feedback on the planes, alignments and shifts of redshift.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32

from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.experiment import Experiment
from lenscast.lensing import Kernels, Systematics, View, VisiblePlanes, convergence, sky, with_feedback
from lenscast.model import Lenses, PlanesAndTangents, Theta, kernels
from lenscast.parameters import COSMOLOGICAL, PARAMETERS

__all__ = ["LensTangents", "cosmological_tangents", "lens_tangents", "map_and_tangents"]


@dataclass(frozen=True)
class LensTangents:
    """Lenses of a box and their derivatives.

    Attributes
    ----------
    lenses
        Planes and kernels.
    moving
        Derivatives of planes and kernels with respect to the parameters that move the planes, stacked in the order of
        `names`.
    names
        Parameters that move the planes.
    kernels_alone
        Derivatives of the kernels with respect to the parameters that leave the planes as they are; of a parameter that
        each source has, with respect to its own.
    """

    lenses: Lenses
    moving: Lenses
    names: tuple[str, ...]
    kernels_alone: Mapping[str, Kernels]


def cosmological_tangents(experiment: Experiment) -> tuple[str, ...]:
    """Parameters of `PlanesAndTangents`, in their order."""
    return tuple(name for name in experiment.tangents if name in COSMOLOGICAL)


def lens_tangents(given: PlanesAndTangents, theta: Theta, experiment: Experiment) -> LensTangents:
    """Lenses of a box and their derivatives with respect to all parameters of the experiment.

    Parameters
    ----------
    given
        Planes without baryons at `theta`, and their derivatives with respect to `cosmological_tangents`.
    theta
        Parameters.
    experiment
        Parameters of the forecast, sources and lightcone.
    """
    names, systematics, lightcone = cosmological_tangents(experiment), theta.systematics, experiment.lightcone

    def lenses(parameters: Parameters, planes: Array) -> Lenses:
        cosmos = cosmology(parameters)
        with_baryons = with_feedback(planes, cosmos, systematics.log10_T_AGN, lightcone)
        return Lenses(with_baryons, kernels(systematics, cosmos, experiment))

    def along(unit: Parameters, dot: Array) -> tuple[Lenses, Lenses]:
        return jax.jvp(lenses, (theta.cosmology, given.planes), (unit, dot))

    here, moving = jax.vmap(along, out_axes=(None, 0))(basis(theta.cosmology, names), given.tangents)
    cosmos = cosmology(theta.cosmology)
    alone = {
        name: _nuisance_derivative(lambda moved: kernels(moved, cosmos, experiment), systematics, name)
        for name in experiment.tangents
        if PARAMETERS[name].enters == "kernels" and name not in COSMOLOGICAL
    }
    for name in experiment.tangents:
        if PARAMETERS[name].enters == "planes" and name not in COSMOLOGICAL:
            dot = _nuisance_derivative(
                lambda moved: with_feedback(given.planes, cosmos, moved.log10_T_AGN, lightcone), systematics, name
            )
            still = jax.tree.map(jnp.zeros_like, here.kernels)
            moving = jax.tree.map(lambda dots, one: jnp.concatenate([dots, one[None]]), moving, Lenses(dot, still))
            names = (*names, name)
    return LensTangents(here, moving, names, alone)


def map_and_tangents(
    lenses: LensTangents, view: View, experiment: Experiment
) -> tuple[Float32[Array, "source y x"], dict[str, Float32[Array, "source y x"]]]:
    """Convergence of each source in a view, and its derivatives with respect to each parameter.

    Parameters
    ----------
    lenses
        From `lens_tangents`.
    view
        How the sky looks at the planes. It does not depend on the parameters.
    experiment
        Geometry of the lightcone.
    """

    def shown(planes: Array, plane_kernels: Kernels) -> tuple[Float32[Array, "source y x"], VisiblePlanes]:
        visible = sky.look(planes, view, plane_kernels.strength, experiment.lightcone)
        return convergence(visible, plane_kernels), visible

    def along(dots: Lenses) -> tuple[Array, Array, VisiblePlanes]:
        return jax.jvp(shown, tuple(lenses.lenses), tuple(dots), has_aux=True)

    kappa, moving, visible = jax.vmap(along, out_axes=(None, 0, None))(lenses.moving)
    rows = dict(zip(lenses.names, moving, strict=True))
    # kappa is linear in the kernels
    return kappa, rows | {name: convergence(visible, dot) for name, dot in lenses.kernels_alone.items()}


def _nuisance_derivative(function: Callable[[Systematics], Any], systematics: Systematics, name: str) -> Any:
    """Derivative with respect to a nuisance parameter; of one that each source has, with respect to its own."""
    value = getattr(systematics, name)

    def moved(x: Float[Array, "..."]) -> Any:
        return function(eqx.tree_at(lambda s: getattr(s, name), systematics, x))

    return jax.jvp(moved, (value,), (jnp.ones_like(value),))[1]
