"""Values of the nuisance parameters: intrinsic alignments, redshifts, calibration of shear, and baryons.

Convention: each parameter enters the forward model as late as it can. Intrinsic alignments and shifts of redshift enter
the kernels of the planes, baryons the planes, calibration the map. None enters the N-body simulation, so their
derivatives need no tangent of it. Names, labels and ranges stand in `lenscast.parameters`. A parameter that each source
bin has its own of is named ``<name>_1``, ``<name>_2``, ... in the order of the bins, and has the fiducial value 0.
"""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from lenscast.parameters import NUISANCE, PER_SOURCE, expanded


class Systematics(eqx.Module):
    """Values of the nuisance parameters.

    Attributes
    ----------
    A_IA
        Amplitude of intrinsic alignments (NLA).
    eta
        Power of (1 + z) / (1 + z_pivot) in this amplitude.
    delta_z
        Shift of the redshifts of each source bin, n_b(z) -> n_b(z - delta_z_b).
    m
        Multiplicative bias of the shear of each source bin, kappa_b -> (1 + m_b) kappa_b.
    log10_T_AGN
        Strength of baryonic feedback, log10 of a temperature in K; None for dark matter only.
    """

    A_IA: Float[Array, ""]
    eta: Float[Array, ""]
    delta_z: Float[Array, " source"]
    m: Float[Array, " source"]
    log10_T_AGN: Float[Array, ""] | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, float], sources: int) -> "Systematics":
        """Systematics from a mapping of names to values; a missing parameter is 0, missing baryons are None.

        Parameters
        ----------
        values
            Values by the name of the parameter, such as ``A_IA`` or ``delta_z_2``.
        sources
            Number of source bins.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        known = tuple(name for row in NUISANCE for name in expanded(row, sources))
        if unknown := [name for name in values if name not in known]:
            raise ValueError(f"unknown parameters {unknown}: choose from {known}")
        per_source = {
            row: jnp.array([values.get(name, 0.0) for name in expanded(row, sources)], jnp.float64)
            for row in PER_SOURCE
        }
        shared = {row: jnp.asarray(values[row], jnp.float64) for row in NUISANCE if row in values}
        return cls(**{"A_IA": jnp.zeros(()), "eta": jnp.zeros(())} | shared | per_source)
