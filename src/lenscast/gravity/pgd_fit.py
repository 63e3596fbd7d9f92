"""Fit of potential gradient descent to reference simulations, by their power spectra."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32
from scipy.optimize import minimize

from lenscast.gravity.comparison import snapshots
from lenscast.gravity.correction import CORNER, nonlinearity
from lenscast.gravity.matter_power import cross_power, power_error
from lenscast.gravity.mesh import ParticleMesh
from lenscast.gravity.nbody import Integrator
from lenscast.gravity.pgd import PGD, Band, pgd_displacement
from lenscast.gravity.reference import Reference

__all__ = ["fit_pgd"]

KNOTS = 4  # in ln sigma: one simulation with four snapshots has a band for each
BEGIN = tuple(product(np.log([0.01, 0.03, 0.1, 0.3]), np.log([1.0, 1.5, 2.0])))  # ln(-alpha), ln large
BOUNDS = ((np.log(1e-4), np.log(1.0)), (np.log(0.3), np.log(2.5)))  # a band that begins near the corner moves noise


def fit_pgd(references: Mapping[str, Reference], integrator: Integrator) -> PGD:
    """The displacement that brings power spectra nearest to the references.

    Bands at a few quantiles of ln sigma, fitted to all snapshots at once, whatever their cells and redshifts: that is
    how the displacement scales with resolution. The upper end of the bands is the corner of the mesh: fits that were
    free to lower it did not.

    Parameters
    ----------
    references : by name.
    integrator : of the simulations that are corrected.
    """
    found: list[_Snapshot] = []
    for reference in references.values():
        ln_sigma = nonlinearity(reference.cosmology, reference.mesh)(jnp.log(reference.a[1:].astype(jnp.float32)))
        for time, *both in zip(ln_sigma, snapshots(reference, integrator), reference.position, strict=True):
            found.append(_Snapshot(float(time), both[0], both[1], reference.mesh, reference.weight))
    times = np.array([each.ln_sigma for each in found])
    apart = np.unique(times)
    knots = np.quantile(apart, np.linspace(0, 1, min(KNOTS, apart.size)))

    def total(values: np.ndarray) -> tuple[float, np.ndarray]:
        each = [_power_and_slope(jnp.asarray(values), jnp.asarray(knots), *snapshot) for snapshot in found]
        return float(sum(value for value, _ in each)), np.sum([slope for _, slope in each], axis=0)

    best = [min(BEGIN, key=partial(_power_of_one, snapshot)) for snapshot in found]
    begin = np.array([best[np.abs(times - knot).argmin()] for knot in knots]).T.ravel()
    bounds: np.ndarray = np.repeat(BOUNDS, knots.size, axis=0)
    fit = minimize(  # the minimum is flat: 1e-5, the usual bound on its slope, is percents of the power away from it
        total, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-7, "ftol": 1e-9}
    )
    return _pgd(jnp.asarray(fit.x), jnp.asarray(knots))


class _Snapshot(NamedTuple):
    """A snapshot of a simulation, and the same of its reference."""

    ln_sigma: float
    position: Float32[Array, "3 particle"]
    expected: Float32[Array, "3 particle"]
    mesh: ParticleMesh
    weight: float


def _power_of_one(snapshot: _Snapshot, band: tuple[float, float]) -> float:
    """What the fit minimises, of one snapshot and band."""
    value, _ = _power_and_slope(jnp.asarray(band), jnp.asarray([snapshot.ln_sigma]), *snapshot)
    return float(value)


@partial(jax.jit, static_argnames=("mesh", "weight"))
@jax.value_and_grad
def _power_and_slope(
    values: Float[Array, " value"],
    knots: Float[Array, " knot"],
    ln_sigma: Float[Array, ""],
    position: Float32[Array, "3 particle"],
    expected: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
    weight: float,
) -> Float[Array, ""]:
    """`power_error` of one snapshot, times its weight, and the gradient in the values."""
    band = _pgd(values, knots).band(ln_sigma.astype(jnp.float32))
    moved = position + pgd_displacement(position, band, mesh)
    spectra = cross_power(moved, expected, mesh.box_size, 2 * mesh.particles)
    return weight * power_error(spectra, mesh.particles)


def _pgd(values: Float[Array, " value"], knots: Float[Array, " knot"]) -> PGD:
    """The displacement of the variables of the fit: logarithms of -alpha, then of the lower ends of the bands."""
    strength, large = jnp.exp(values).astype(jnp.float32).reshape(2, knots.size)
    return PGD(knots.astype(jnp.float32), Band(-strength, large, jnp.full_like(large, CORNER)))
