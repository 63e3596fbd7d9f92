"""Fit of potential gradient descent to reference simulations, by their power spectra."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32
from scipy.optimize import minimize

from lenscast.gravity.correction import nonlinearity
from lenscast.gravity.matter_power import cross_power, mean_over_ln_k
from lenscast.gravity.mesh import ParticleMesh
from lenscast.gravity.nbody import Integrator, nbody
from lenscast.gravity.pgd import PGD, Band, pgd_displacement
from lenscast.gravity.reference import Reference

__all__ = ["fit_pgd"]

LIKE_NONLINEARITY = 0.35  # in ln sigma


def fit_pgd(references: Mapping[str, Reference], integrator: Integrator) -> PGD:
    """The displacement that brings power spectra nearest to the references.

    One band for the snapshots of like nonlinearity on the scale of the mesh, whatever their cells and redshifts: that
    is how the displacement scales with resolution.

    Parameters
    ----------
    references : by name.
    integrator : of the simulations that are corrected.
    """
    snapshots: list[_Snapshot] = []
    for reference in references.values():
        times = nonlinearity(reference.cosmology, reference.mesh)(jnp.log(reference.a[1:].astype(jnp.float32)))
        for time, *both in zip(times, _positions(reference, integrator), reference.position, strict=True):
            snapshots.append(_Snapshot(float(time), both[0], both[1], reference.mesh))
    groups: list[list[_Snapshot]] = []
    for snapshot in sorted(snapshots, key=lambda each: each.ln_sigma):
        if groups and snapshot.ln_sigma - groups[-1][0].ln_sigma <= LIKE_NONLINEARITY:
            groups[-1].append(snapshot)
        else:
            groups.append([snapshot])
    knots = jnp.asarray([np.mean([each.ln_sigma for each in group]) for group in groups], jnp.float32)
    return PGD(knots, Band(*jnp.asarray([_fitted_band(group) for group in groups], jnp.float32).T))


class _Snapshot(NamedTuple):
    """A snapshot of a simulation, and the same of its reference."""

    ln_sigma: float
    position: Float32[Array, "3 particle"]
    expected: Float32[Array, "3 particle"]
    mesh: ParticleMesh


@partial(jax.jit, static_argnums=1)
def _positions(reference: Reference, integrator: Integrator) -> Float32[Array, "snapshot 3 particle"]:
    """Snapshots of the simulation without a correction."""
    mesh, start = reference.mesh, reference.start
    return nbody(
        start, reference.a, reference.cosmology, mesh, integrator, save=lambda particles: particles.position(mesh)
    )


def _fitted_band(snapshots: Sequence[_Snapshot]) -> tuple[float, ...]:
    """The band whose displacement minimises the mean of (P / P_ref - 1)^2 over ln k and snapshots."""

    def total(values: np.ndarray) -> tuple[float, np.ndarray]:
        each = [_power_and_slope(jnp.asarray(values), *snapshot[1:]) for snapshot in snapshots]
        return float(sum(value for value, _ in each)), np.sum([slope for _, slope in each], axis=0)

    # alpha, and wavenumbers between the largest modes of a mesh and its corner
    bounds = [(-30.0, 5.0), (np.log(0.05), np.log(3.0)), (np.log(0.5), np.log(5.0))]
    begin = np.array([-1.0, 0.0, np.log(2.5)])
    fit = minimize(  # the minimum is flat: 1e-5, the usual bound on its slope, is percents of the power away from it
        total, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-9, "ftol": 1e-12}
    )
    return tuple(float(value) for value in _band(jnp.asarray(fit.x)))


@partial(jax.jit, static_argnums=3)
@jax.value_and_grad
def _power_and_slope(
    values: Float[Array, " 3"],
    position: Float32[Array, "3 particle"],
    expected: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
) -> Float[Array, ""]:
    """What the fit of a band minimises, and its gradient."""
    moved = position + pgd_displacement(position, _band(values), mesh)
    spectra = cross_power(moved, expected, mesh.box_size, 2 * mesh.particles)
    return mean_over_ln_k((spectra.power / spectra.reference - 1) ** 2, mesh.particles)


def _band(values: Float[Array, " 3"]) -> Band:
    """Band of the variables of the fit, all of order one."""
    return Band(values[0] / 100, jnp.exp(values[1]), jnp.exp(values[2]))
