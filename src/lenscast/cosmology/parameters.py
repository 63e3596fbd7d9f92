"""The cosmological parameters: the one place that names them.

Flat w0wa-CDM in CCL's spelling. A new parameter is one field with its LaTeX label; names, labels, tangent
basis and the reading of a configuration follow from the fields.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

__all__ = ["LABELS", "PARAMETER_NAMES", "Parameters", "basis"]


def _float64_scalar(value: ArrayLike) -> Float[Array, ""]:
    """Convert to a float64 scalar array, or say why not."""
    if jax.dtypes.canonicalize_dtype(jnp.float64) != jnp.float64:
        raise ValueError(
            "cosmology runs in float64 but JAX is in 32-bit mode: "
            'call jax.config.update("jax_enable_x64", True) at the start of the program'
        )
    scalar = jnp.asarray(value, dtype=jnp.float64)
    if scalar.ndim != 0:
        raise ValueError(f"a cosmological parameter has shape {scalar.shape}: give scalars, and vmap over them")
    return scalar


def _parameter(label: str) -> Any:
    """A field that holds one parameter and knows its LaTeX label."""
    return eqx.field(converter=_float64_scalar, metadata={"label": label})


class Parameters(eqx.Module):
    """Parameters of a flat w0wa-CDM cosmology, float64 scalars.

    Attributes
    ----------
    Omega_c, Omega_b : density of cold dark matter and of baryons today, in critical densities.
    h : Hubble constant in 100 km/s/Mpc.
    n_s : tilt of the primordial spectrum.
    sigma8 : rms of the linear density contrast today in spheres of 8 Mpc/h.
    w0, wa : equation of state of dark energy, w(a) = w0 + wa (1 - a) (Linder 2003, astro-ph/0208512).
    """

    Omega_c: Float[Array, ""] = _parameter(r"\Omega_c")
    Omega_b: Float[Array, ""] = _parameter(r"\Omega_b")
    h: Float[Array, ""] = _parameter("h")
    n_s: Float[Array, ""] = _parameter("n_s")
    sigma8: Float[Array, ""] = _parameter(r"\sigma_8")
    w0: Float[Array, ""] = _parameter("w_0")
    wa: Float[Array, ""] = _parameter("w_a")

    @property
    def Omega_m(self) -> Float[Array, ""]:
        """Matter density today in critical densities."""
        return self.Omega_c + self.Omega_b

    @classmethod
    def from_config(cls, section: Mapping[str, float]) -> "Parameters":
        """Parameters from a mapping of each name to its value.

        Raises
        ------
        ValueError
            If a name is missing or unknown.
        """
        _require_known(section)
        missing = [name for name in PARAMETER_NAMES if name not in section]
        if missing:
            raise ValueError(f"no value for cosmological parameters {missing}: give all of {PARAMETER_NAMES}")
        return cls(**{name: jnp.asarray(value) for name, value in section.items()})


LABELS: dict[str, str] = {field.name: field.metadata["label"] for field in dataclasses.fields(Parameters)}
PARAMETER_NAMES: tuple[str, ...] = tuple(LABELS)


def basis(parameters: Parameters, names: Sequence[str]) -> Parameters:
    """Unit tangent vectors, one per name, along a leading axis ``param``.

    ``jax.vmap(lambda tangent: jax.jvp(f, (parameters,), (tangent,))[1])(basis(parameters, names))`` is the
    derivative of f with respect to the named parameters, in their order.

    Parameters
    ----------
    parameters : where the derivative is taken; fixes structure and dtype only.
    names : parameters to differentiate by.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    _require_known(names)
    leaves = [jnp.array([chosen == name for chosen in names], dtype=jnp.float64) for name in PARAMETER_NAMES]
    return jax.tree.unflatten(jax.tree.structure(parameters), leaves)


def _require_known(names: Mapping[str, float] | Sequence[str]) -> None:
    """Refuse names that are no cosmological parameter."""
    unknown = [name for name in names if name not in PARAMETER_NAMES]
    if unknown:
        raise ValueError(f"unknown cosmological parameters {unknown}: choose from {PARAMETER_NAMES}")
