"""Mean data vector of a box, and its Jacobian: averaged over the views of its planes and over the shape noise.

Statistics of two points are averaged over all views, exactly, from the correlation functions of the planes
(`lenscast.lensing.correlation`). Other statistics, and all of them where planes deflect rays, are averaged over
``derivatives.views`` maps, each through shape noise of its own.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Int

from lenscast.bins import jacobian_parameters
from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.fisher.derivatives import SummaryAndJacobian
from lenscast.lens_tangents import LensTangents, lens_tangents, map_and_tangents
from lenscast.lensing import Kernels, View, convergence_correlation, draw_views, plane_correlation
from lenscast.measurement import MapAndTangents, expected_and_jacobian, joined
from lenscast.model import Lenses, PlanesAndTangents, Theta
from lenscast.parameters import PARAMETERS, expanded
from lenscast.statistics import Statistic
from lenscast.streams import VIEW, box_key

__all__ = ["box_mean_and_jacobian", "correlations", "two_point"]

Seed = Int[Array, ""] | int


def two_point(experiment: Experiment) -> dict[str, Statistic]:
    """Statistics whose mean over all views is known: those of two points, where rays are straight."""
    known = experiment.lightcone.projection == "born"
    return {name: each for name, each in experiment.statistics.items() if known and each.is_two_point}


def correlations(lenses: Lenses, experiment: Experiment) -> Float64[Array, "pair lag lag"]:
    """Correlation functions of the maps of a box, averaged over all views; see `convergence_correlation`."""
    return convergence_correlation(plane_correlation(lenses.planes, experiment.lightcone), lenses.kernels)


def box_mean_and_jacobian(
    given: PlanesAndTangents, seed: Seed, theta: Theta, experiment: Experiment
) -> SummaryAndJacobian:
    """Mean data vector of a box and its derivative with respect to each of `jacobian_parameters`.

    Parameters
    ----------
    given
        Planes of the box without baryons, and their derivatives.
    seed
        Seed of the box, from which views and shape noise follow.
    theta
        Parameters at which the planes were made.
    experiment
        Its statistics are measured in order, on ``derivatives.views`` maps where they need maps, and with
        ``derivatives.noise_realisations`` draws of the shape noise for each.
    """
    lenses, exact = lens_tangents(given, theta, experiment), two_point(experiment)
    on_maps = [name for name in experiment.statistics if name not in exact]
    parts: dict[str, SummaryAndJacobian] = {}
    if exact:
        parts |= _over_all_views(lenses, exact, experiment)
    if on_maps:
        parts |= _over_maps(lenses, on_maps, seed, experiment)
    return joined(parts, experiment.statistics)


def _over_maps(
    lenses: LensTangents, names: list[str], seed: Seed, experiment: Experiment
) -> dict[str, SummaryAndJacobian]:
    """Means over maps of some statistics and their Jacobians, by name."""

    def of_view(numbered: tuple[Int[Array, ""], View]) -> dict[str, SummaryAndJacobian]:
        number, view = numbered
        kappa, rows = map_and_tangents(lenses, view, experiment)
        shifts = rows.pop("delta_z", None)
        shared = [rows[name] for name in experiment.tangents if name in rows]
        tangents = jnp.stack(shared) if shared else jnp.zeros((0, *kappa.shape), kappa.dtype)
        return expected_and_jacobian(
            MapAndTangents(kappa, tangents, shifts, seed, number),
            experiment,
            names,
            experiment.derivatives.noise_realisations,
        )

    count = experiment.derivatives.views
    views = draw_views(box_key(seed, VIEW), count, experiment.lightcone)
    measured = jax.lax.map(of_view, (jnp.arange(count), views))
    return jax.tree.map(lambda each: each.mean(axis=0), measured)


def _over_all_views(
    lenses: LensTangents, exact: dict[str, Statistic], experiment: Experiment
) -> dict[str, SummaryAndJacobian]:
    """Means over all views of statistics of two points and their Jacobians, by name."""
    observed, kernels = observation(experiment), lenses.lenses.kernels

    def along(dot: Array) -> tuple[Array, Array]:
        return jax.jvp(lambda planes: plane_correlation(planes, experiment.lightcone), (lenses.lenses.planes,), (dot,))

    def means(correlation: Float64[Array, "plane lag lag"], kernels: Kernels) -> dict[str, Float64[Array, " bin"]]:
        of_maps = convergence_correlation(correlation, kernels)
        return {name: each.from_correlation(of_maps, observed) for name, each in exact.items()}

    here, moving = jax.vmap(along, out_axes=(None, 0))(lenses.moving.planes)
    alone = _kernels_alone(lenses, experiment)
    # one parameter after another: correlation functions of all pairs of sources take memory
    rows = jax.lax.map(lambda dots: jax.jvp(means, (here, kernels), dots)[1], (moving, lenses.moving.kernels))
    found = {
        parameter: jax.tree.map(lambda each, row=row: each[row], rows) for row, parameter in enumerate(lenses.names)
    }
    for parameter, dot in alone.items():
        found[parameter] = jax.jvp(lambda moved: means(here, moved), (kernels,), (dot,))[1]
    return {
        name: SummaryAndJacobian(mean, jnp.stack([found[each][name] for each in jacobian_parameters(experiment)]))
        for name, mean in means(here, kernels).items()
    }


def _kernels_alone(lenses: LensTangents, experiment: Experiment) -> dict[str, Kernels]:
    """Derivatives of the kernels with respect to the parameters that leave the planes as they are."""
    # a calibration multiplies the map of its source, and so its kernels
    alone = {**lenses.kernels_alone, "m": lenses.lenses.kernels}
    found: dict[str, Kernels] = {}
    for name in experiment.forecast.parameters:
        if not PARAMETERS[name].per_source:
            found |= {name: alone[name]} if name in alone else {}
            continue
        for source, own in enumerate(expanded(name, experiment.sources)):
            one = jnp.arange(experiment.sources)[None] == source
            found[own] = alone[name]._replace(lensing=alone[name].lensing * one, alignment=alone[name].alignment * one)
    return found
