"""Fit of potential gradient descent to reference simulations, by their power spectra.

The fit minimises `power_error`, the power part of the loss of `training`, over the logarithms of -alpha and k_l.
"""

from collections.abc import Mapping
from functools import partial
from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32
from scipy.optimize import minimize

from lenscast.corrections.network import CORNER, nonlinearity
from lenscast.corrections.particle_power import cross_power, power_error
from lenscast.corrections.pgd import PGD, Band, pgd_displacement
from lenscast.corrections.reference import Reference, snapshots
from lenscast.sections.box import Integrator, ParticleMesh

KNOTS = 4  # in ln sigma: one simulation with four snapshots has a band for each
FIRST_GUESSES = tuple(product(np.log([0.01, 0.03, 0.1, 0.3]), np.log([1.0, 1.5, 2.0])))  # ln(-alpha), ln k_l
BOUNDS = ((np.log(1e-4), np.log(1.0)), (np.log(0.3), np.log(2.5)))  # with k_l near the corner, PGD would move noise


def fit_pgd(references: Mapping[str, Reference], integrator: Integrator) -> PGD:
    """The displacement that brings power spectra nearest to the references.

    The bands lie at a few quantiles of ln sigma. One fit to all snapshots, whatever their cells and redshifts, gives
    all of them; this makes the displacement scale with resolution. The upper end k_s of the bands is the corner of the
    mesh: fits that were free to lower it did not.

    Parameters
    ----------
    references
        Reference simulations by name.
    integrator
        Time integration of the simulations that are corrected.
    """
    pairs: list[_Snapshot] = []
    for reference in references.values():
        ln_sigma = nonlinearity(reference.cosmology, reference.mesh)(jnp.log(reference.a[1:].astype(jnp.float32)))
        for time, *both in zip(ln_sigma, snapshots(reference, integrator), reference.position, strict=True):
            pairs.append(_Snapshot(float(time), both[0], both[1], reference.mesh, reference.weight))
    times = np.array([each.ln_sigma for each in pairs])
    distinct = np.unique(times)
    knots = np.quantile(distinct, np.linspace(0, 1, min(KNOTS, distinct.size)))

    def total(values: np.ndarray) -> tuple[float, np.ndarray]:
        each = [_power_and_slope(jnp.asarray(values), jnp.asarray(knots), snapshot) for snapshot in pairs]
        return float(sum(value for value, _ in each)), np.sum([slope for _, slope in each], axis=0)

    # The error has several minima: each knot begins from the best guess for the snapshot that is nearest in ln sigma.
    best = [min(FIRST_GUESSES, key=partial(_power_of_one, snapshot)) for snapshot in pairs]
    begin = np.array([best[np.abs(times - knot).argmin()] for knot in knots]).T.ravel()
    bounds: np.ndarray = np.repeat(BOUNDS, knots.size, axis=0)
    # The minimum is flat: at the usual bound on the slope, 1e-5, the power is still percents away from its best.
    fit = minimize(total, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-7, "ftol": 1e-9})
    return _pgd(jnp.asarray(fit.x), jnp.asarray(knots))


class _Snapshot(eqx.Module):
    """A snapshot of a simulation, and the same snapshot of its reference.

    Attributes
    ----------
    ln_sigma
        `nonlinearity` of the simulation at this scale factor.
    position, expected
        Comoving positions in the simulation and in the reference [Mpc/h].
    mesh
        Box, number of particles and force mesh of the simulation.
    weight
        Weight of the reference.
    """

    ln_sigma: float
    position: Float32[Array, "3 particle"]
    expected: Float32[Array, "3 particle"]
    mesh: ParticleMesh = eqx.field(static=True)
    weight: float = eqx.field(static=True)


def _power_of_one(snapshot: _Snapshot, band: tuple[float, float]) -> float:
    """The error of one snapshot that is displaced by one band."""
    value, _ = _power_and_slope(jnp.asarray(band), jnp.asarray([snapshot.ln_sigma]), snapshot)
    return float(value)


@jax.jit
@jax.value_and_grad
def _power_and_slope(
    values: Float[Array, " value"], knots: Float[Array, " knot"], snapshot: _Snapshot
) -> Float[Array, ""]:
    """`power_error` of one snapshot, times its weight, and its gradient with respect to the values."""
    mesh, band = snapshot.mesh, _pgd(values, knots).band(jnp.asarray(snapshot.ln_sigma, jnp.float32))
    displaced = snapshot.position + pgd_displacement(snapshot.position, band, mesh)
    spectra = cross_power(displaced, snapshot.expected, mesh.box_size, 2 * mesh.particles)
    return snapshot.weight * power_error(spectra, mesh.particles)


def _pgd(values: Float[Array, " value"], knots: Float[Array, " knot"]) -> PGD:
    """PGD with the variables of the fit: the logarithms of -alpha of all bands, then those of k_l."""
    strength, large = jnp.exp(values).astype(jnp.float32).reshape(2, knots.size)
    return PGD(knots.astype(jnp.float32), Band(-strength, large, jnp.full_like(large, CORNER)))
