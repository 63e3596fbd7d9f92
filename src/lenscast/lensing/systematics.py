"""What a survey does not know about its galaxies: intrinsic alignments, redshifts, calibration, and baryons.

Convention: each parameter enters as late as it can. Intrinsic alignments and shifts of redshift enter the weights of
the planes, baryons the planes, calibration the map: none of them the N-body simulation, and so their derivatives need
no tangent of it. Parameters that there is one of for each source are named ``<name>_1``, ``<name>_2``, ... in the order
of the sources; all are 0 in the fiducial model.
"""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["PER_SOURCE", "SHARED", "Systematics", "systematics_label", "systematics_names"]

SHARED = {"A_IA": r"A_\mathrm{IA}", "eta": r"\eta_\mathrm{IA}", "log10_T_AGN": r"\log_{10} T_\mathrm{AGN}"}
"""LaTeX labels of the parameters that all sources share."""

PER_SOURCE = {"delta_z": r"\Delta z", "m": "m"}
"""LaTeX labels of the parameters that there is one of for each source."""


class Systematics(eqx.Module):
    """Values of the nuisance parameters.

    Attributes
    ----------
    A_IA : amplitude of intrinsic alignments (NLA).
    eta : power of (1 + z) / (1 + z_pivot) by which they evolve.
    delta_z : shift of the redshifts of each source, n_b(z) -> n_b(z - delta_z_b).
    m : multiplicative bias of the shear of each source, kappa_b -> (1 + m_b) kappa_b.
    log10_T_AGN : strength of baryonic feedback, log10 of a temperature in K; None without baryons.
    """

    A_IA: Float[Array, ""]
    eta: Float[Array, ""]
    delta_z: Float[Array, " source"]
    m: Float[Array, " source"]
    log10_T_AGN: Float[Array, ""] | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, float], sources: int) -> "Systematics":
        """Systematics from a mapping of names, as of `systematics_names`, to values; what it lacks is 0 or none.

        Raises
        ------
        ValueError : for an unknown name.
        """
        known = systematics_names(sources)
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"unknown parameters {unknown}: choose from {known}")
        of_source = {
            name: jnp.array([values.get(f"{name}_{source + 1}", 0.0) for source in range(sources)], jnp.float64)
            for name in PER_SOURCE
        }
        shared = {name: jnp.asarray(values[name], jnp.float64) for name in SHARED if name in values}
        return cls(**{"A_IA": jnp.zeros(()), "eta": jnp.zeros(())} | shared | of_source)


def systematics_names(sources: int) -> tuple[str, ...]:
    """Names of all nuisance parameters for so many sources."""
    return (*SHARED, *(f"{name}_{source + 1}" for name in PER_SOURCE for source in range(sources)))


def systematics_label(name: str) -> str | None:
    """LaTeX label of a nuisance parameter; None for another name."""
    stem, _, number = name.rpartition("_")
    if stem in PER_SOURCE and number.isdecimal():
        return f"{PER_SOURCE[stem]}_{{{number}}}"
    return SHARED.get(name)
