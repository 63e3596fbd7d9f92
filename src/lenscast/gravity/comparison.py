"""Simulations with and without corrections beside their reference: power, cross-correlation and density by snapshot.

Convention: a comparison is a table with one row per variant, scale factor and shell of wavenumber; the variant "pm" is
the particle mesh without correction. What is said to hold below the Nyquist wavenumber, pi / spacing of the particles,
holds for shells whose mean wavenumber is below it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Float32

from lenscast.gravity.matter_power import cross_power
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.nbody import Correction, Integrator, nbody
from lenscast.gravity.painting import paint, paint_slabs
from lenscast.gravity.reference import Reference

__all__ = ["PLAIN", "at_wavenumbers", "checks", "comparison_table", "densest_point", "density_slice", "snapshots"]

PLAIN = "pm"
LOW_K = 0.3


@partial(jax.jit, static_argnames="integrator")
def snapshots(
    reference: Reference, integrator: Integrator, correction: Correction | None = None
) -> Float32[Array, "snapshot 3 particle"]:
    """Positions of a simulation from the start of a reference, when the reference has its own [Mpc/h].

    Parameters
    ----------
    reference : gives start, scale factors, cosmology and mesh.
    integrator : time integration.
    correction : of small scales, see `nbody`.
    """
    mesh = reference.mesh

    def save(state: Particles) -> Array:
        return state.position(mesh)

    return nbody(reference.start, reference.a, reference.cosmology, mesh, integrator, correction, save=save)


def comparison_table(
    simulated: Mapping[str, Float32[Array, "snapshot 3 particle"]], reference: Reference
) -> pd.DataFrame:
    """Power and cross-correlation of variants of a simulation beside the reference.

    Densities are painted on meshes of twice the particles per side, see `lenscast.gravity.matter_power`.

    Parameters
    ----------
    simulated : `snapshots` by name of the variant, "pm" among them.
    reference : what they are held against.

    Returns
    -------
    Columns variant, a, nyquist and k [h/Mpc]; power_error = P / P_ref - 1, correlation = P_x / sqrt(P P_ref) and
    change = P / P_pm - 1.

    Raises
    ------
    ValueError
        If "pm" is missing.
    """
    if PLAIN not in simulated:
        raise ValueError(f"variants {sorted(simulated)}: add '{PLAIN}', the simulation without correction")
    mesh = reference.mesh
    spectra = jax.jit(lambda x, y: cross_power(x, y, mesh.box_size, 2 * mesh.particles))
    rows = []
    for index, (a, expected) in enumerate(zip(np.asarray(reference.a[1:]), reference.position, strict=True)):
        found = {name: jax.device_get(spectra(positions[index], expected)) for name, positions in simulated.items()}
        for name, each in found.items():
            columns = {
                "k": each.k,
                "power_error": each.power / each.reference - 1,
                "correlation": each.correlation,
                "change": each.power / found[PLAIN].power - 1,
            }
            head = {"variant": name, "a": float(a), "nyquist": np.pi * mesh.particles / mesh.box_size}
            rows.append(pd.DataFrame(head | columns))
    return pd.concat(rows, ignore_index=True)


def at_wavenumbers(table: pd.DataFrame, k: Sequence[float], of_nyquist: Sequence[float] = ()) -> pd.DataFrame:
    """Errors of the variants side by side, linear in k between the mean wavenumbers of shells.

    Parameters
    ----------
    table : from `comparison_table`.
    k : wavenumbers [h/Mpc]; those beyond the Nyquist wavenumber or below the first shell are left out.
    of_nyquist : further ones, in units of the Nyquist wavenumber.

    Returns
    -------
    Columns a, k, k_over_nyquist, then power_error_<variant> of all variants and decorrelation_<variant> = 1 - r.
    """
    rows = []
    for a, snapshot in table.groupby("a"):
        nyquist, shells = snapshot["nyquist"].iloc[0], snapshot["k"].min()
        wanted = np.concatenate([np.asarray(k, float), np.asarray(of_nyquist, float) * nyquist])
        wanted = np.sort(wanted[(wanted >= shells) & (wanted <= nyquist)])
        columns = {"a": a, "k": wanted, "k_over_nyquist": wanted / nyquist}
        for quantity, value in (("power_error", "power_error"), ("decorrelation", "correlation")):
            for variant, each in snapshot.groupby("variant", sort=False):
                found = np.interp(wanted, each["k"], each[value])
                columns[f"{quantity}_{variant}"] = 1 - found if value == "correlation" else found
        rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True)


def checks(table: pd.DataFrame) -> pd.DataFrame:
    """What a correction must not do, for each variant and scale factor.

    Parameters
    ----------
    table : from `comparison_table`.

    Returns
    -------
    Columns variant, a; rms_power_error and mean_decorrelation over shells below the Nyquist wavenumber, each shell
    alike; shells, their number; worse_shells, how many have a smaller cross-correlation than "pm"; largest_loss of
    cross-correlation against "pm" (negative where every shell gains) and loss_k, where [h/Mpc]; low_k_change, the
    largest abs(P / P_pm - 1) for k < 0.3 h/Mpc, or in the first shell of a box that has none there, and low_k, the
    largest wavenumber that it covers [h/Mpc].
    """
    rows = []
    below = table[table["k"] < table["nyquist"]]
    for a, snapshot in below.groupby("a"):
        plain = snapshot.loc[snapshot["variant"] == PLAIN, "correlation"].to_numpy()
        for variant, each in snapshot.groupby("variant", sort=False):
            loss = plain - each["correlation"].to_numpy()
            low = each[each["k"] < max(LOW_K, 1.001 * each["k"].min())]
            rows.append(
                {
                    "variant": variant,
                    "a": a,
                    "rms_power_error": (each["power_error"] ** 2).mean() ** 0.5,
                    "mean_decorrelation": 1 - each["correlation"].mean(),
                    "shells": len(each),
                    "worse_shells": int((loss > 0).sum()),
                    "largest_loss": loss.max(),
                    "loss_k": each["k"].iloc[loss.argmax()],
                    "low_k_change": low["change"].abs().max(),
                    "low_k": low["k"].max(),
                }
            )
    return pd.DataFrame(rows)


def densest_point(position: Float32[Array, "3 particle"], box_size: float, mesh_size: int) -> Float[np.ndarray, " 3"]:
    """Mesh point of the highest density [Mpc/h].

    Parameters
    ----------
    position : comoving positions [Mpc/h], wrapped periodically.
    box_size : side of the box [Mpc/h].
    mesh_size : mesh points per side.
    """
    density = paint(position, box_size, mesh_size)
    return np.array(np.unravel_index(int(jnp.argmax(density)), density.shape)) * (box_size / mesh_size)


def density_slice(
    position: Float32[Array, "3 particle"],
    mesh: ParticleMesh,
    centre: Float[np.ndarray, " 3"],
    mesh_size: int,
    slabs: int,
    refinement: int,
) -> Float32[np.ndarray, "y x"]:
    """Projected density of a slab of the box, in units of the mean; the periodic box is moved to bring a point inside.

    Particles carry the sheet that dark matter is in phase space: the mass between them is put where interpolation in
    Lagrangian space puts it, linear along each axis, so that voids do not show the lattice.

    Parameters
    ----------
    position : comoving positions in Lagrangian order [Mpc/h].
    mesh : box and number of particles.
    centre : point that comes to the middle of the slab and of the map [Mpc/h].
    mesh_size : points per side of the map.
    slabs : the slab is box_size / slabs thick; 2 or more.
    refinement : interpolated positions per particle and axis; 1 for the particles alone.

    References: Abel, Hahn & Kaehler (2012), arXiv:1111.3944.
    """
    size = mesh.box_size
    shift = jnp.asarray(np.array([size / 2, size / 2, size / (2 * slabs)]) - centre, jnp.float32)
    displacement = position - mesh.lattice
    displacement = displacement - size * jnp.round(displacement / size)
    offsets = jnp.asarray(list(product(range(refinement), repeat=3)), jnp.float32) / refinement
    parts = [_slice(displacement, offset, shift, mesh, mesh_size, slabs) for offset in offsets]
    return np.mean(parts, axis=0).T


@partial(jax.jit, static_argnames=("mesh", "mesh_size", "slabs"))
def _slice(
    displacement: Float32[Array, "3 particle"],
    offset: Float32[Array, " 3"],
    shift: Float32[Array, " 3"],
    mesh: ParticleMesh,
    mesh_size: int,
    slabs: int,
) -> Float32[Array, "x y"]:
    """Density of points that start at an offset from the particles, in units of their spacing."""
    cells = displacement.reshape(3, *(mesh.particles,) * 3)
    for axis in range(3):
        cells += offset[axis] * (jnp.roll(cells, -1, axis + 1) - cells)
    start = mesh.lattice + (shift + offset * np.float32(mesh.box_size / mesh.particles))[:, None]
    edge = mesh.box_size / mesh_size
    return 1 + paint_slabs(start + cells.reshape(3, -1), mesh.box_size, mesh_size, slabs, edge)[2, 0]
