"""Matter in simulations, with and without corrections, compared with reference simulations and with linear theory.

Convention: a comparison is a table with one row per variant, scale factor and shell of wavenumber; the variant "pm" is
the particle mesh without correction. Shells below the Nyquist wavenumber, pi / spacing of the particles, are those
whose mean wavenumber is below it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float32, Key

from lenscast.corrections import Correction, corrected
from lenscast.corrections.particle_power import MeasuredPower, cross_power, field_power, particle_power
from lenscast.corrections.reference import Reference
from lenscast.cosmology import Cosmology, Parameters
from lenscast.cosmology.power import linear_power
from lenscast.gravity import linear_field, lpt, nbody
from lenscast.sections.box import Simulation
from lenscast.theory import camb_power

PLAIN = "pm"
LOW_K = 0.3  # h/Mpc, below which a correction must leave the power as it is


class PowerToday(NamedTuple):
    """Power of one box today.

    Attributes
    ----------
    linear
        Power of its linear field.
    evolved
        Power of the particles that evolved from this field.
    """

    linear: MeasuredPower
    evolved: MeasuredPower


def power_today(
    key: Key[Array, ""], cosmology: Cosmology, simulation: Simulation, correction: Correction | None = None
) -> PowerToday:
    """Matter power of a simulation at a = 1, and power of its own linear modes, which have the same sample variance.

    Parameters
    ----------
    key
        Key of the linear field.
    cosmology
        Growth, expansion and linear power.
    simulation
        Box, start and time integration.
    correction
        Correction of small scales with its trained weights; None for the particle mesh as it is.
    """
    field = linear_field(key, cosmology.power, simulation)
    start = lpt(field, simulation.a_start, cosmology, simulation, simulation.lpt_order)
    times = jnp.array([simulation.a_start, 1.0])
    method = corrected(correction, simulation, simulation.integrator, cosmology)
    position = nbody(start, times, cosmology, method, save=lambda state: state.position(simulation))
    evolved = particle_power(position[0], simulation.box_size, 2 * simulation.particles)
    return PowerToday(field_power(field, simulation.box_size), evolved)


def matter_comparison(
    simulated: Mapping[str, Float32[Array, "snapshot 3 particle"]], reference: Reference
) -> pd.DataFrame:
    """Power and cross-correlation of variants of a simulation, compared with a reference.

    Densities are painted on meshes of twice the particles per side, see `lenscast.corrections.particle_power`.

    Parameters
    ----------
    simulated
        Positions from `snapshots` by name of the variant, "pm" among them [Mpc/h].
    reference
        Simulation that the variants are compared with.

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
    """Errors of the variants at given wavenumbers, linear in k between the mean wavenumbers of shells.

    Parameters
    ----------
    table
        Result of `matter_comparison`.
    k
        Wavenumbers [h/Mpc]. The table leaves out those beyond the Nyquist wavenumber and those below the first shell.
    of_nyquist
        Further wavenumbers, in units of the Nyquist wavenumber.

    Returns
    -------
    One row per scale factor and wavenumber: columns a, k [h/Mpc] and k_over_nyquist, then power_error_<variant> of all
    variants and decorrelation_<variant> = 1 - r.
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
    """Summary of each variant and scale factor: its errors, and where it is worse than "pm".

    Returns
    -------
    One row per scale factor and variant. Over the shells below the Nyquist wavenumber, with equal weights:
    rms_power_error and mean_decorrelation; shells, the number of these shells; worse_shells, the number of shells with
    a smaller cross-correlation than "pm"; largest_loss, the largest loss of cross-correlation compared with "pm"
    (negative where every shell gains), and loss_k, the wavenumber of this loss [h/Mpc]. On large scales: low_k_change,
    the largest abs(P / P_pm - 1) for k < 0.3 h/Mpc, or in the first shell if a box has none there, and low_k, the
    largest wavenumber of these shells [h/Mpc].
    """
    rows = []
    below = table[table["k"] < table["nyquist"]]
    for a, snapshot in below.groupby("a"):
        plain = snapshot.loc[snapshot["variant"] == PLAIN, "correlation"].to_numpy()
        for variant, each in snapshot.groupby("variant", sort=False):
            loss = plain - each["correlation"].to_numpy()
            # 1.001: the first shell must not fail the comparison by rounding
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


def matter_power_table(powers: Sequence[PowerToday], parameters: Parameters) -> pd.DataFrame:
    """Matter power of simulations compared with theory, one row per shell of wavenumber.

    Columns: k [h/Mpc] and, in (Mpc/h)^3, power and its error; corrected and its error, linear theory times the ratio of
    a box's power to the power of its own linear modes, NaN where these end; linear (Eisenstein & Hu), linear_camb,
    halofit. Errors are standard errors of the mean over boxes.

    Parameters
    ----------
    powers
        Powers of boxes with the same geometry, 2 or more.
    parameters
        Cosmological parameters.
    """
    k = np.asarray(powers[0].evolved.k)
    theory, linear = camb_power(parameters), np.asarray(linear_power(jnp.asarray(k), parameters))
    evolved = np.stack([np.asarray(each.evolved.power) for each in powers])
    initial = np.full_like(evolved, np.nan)
    initial[:, : powers[0].linear.k.size] = [np.asarray(each.linear.power) for each in powers]
    corrected = linear * evolved / initial
    return pd.DataFrame(
        {
            "k": k,
            "power": evolved.mean(axis=0),
            "error": evolved.std(axis=0, ddof=1) / len(powers) ** 0.5,
            "corrected": corrected.mean(axis=0),
            "corrected_error": corrected.std(axis=0, ddof=1) / len(powers) ** 0.5,
            "linear": linear,
            "linear_camb": theory.linear(k),
            "halofit": theory.nonlinear(k),
        }
    )
