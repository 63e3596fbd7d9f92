"""The cosmological parameters as a JAX pytree of float64 scalars.

Which parameters there are, in which order, and what they mean is in the table `lenscast.parameters`: the rows of
`COSMOLOGICAL` become the fields of `Parameters`. This module adds their type, their checks, and the unit tangents that
a forecast pushes through the forward model.
"""

from collections.abc import Mapping, Sequence
from types import new_class
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from lenscast.parameters import COSMOLOGICAL


def _float64_scalar(value: ArrayLike) -> Float[Array, ""]:
    """Convert to a float64 scalar array.

    Raises
    ------
    ValueError
        If JAX is in 32-bit mode, or the value is no scalar.
    """
    # JAX would make a float32 array of it silently; distances and growth then lose half of their digits
    if jax.dtypes.canonicalize_dtype(jnp.float64) != jnp.float64:
        raise ValueError(
            "cosmology runs in float64 but JAX is in 32-bit mode: "
            'call jax.config.update("jax_enable_x64", True) at the start of the program'
        )
    scalar = jnp.asarray(value, dtype=jnp.float64)
    if scalar.ndim != 0:
        raise ValueError(f"a cosmological parameter has shape {scalar.shape}: give scalars, and vmap over them")
    return scalar


if TYPE_CHECKING:

    class _Fields(eqx.Module):
        """The fields as mypy sees them: any name, since the table is read when the module is imported."""

        def __init__(self, **values: ArrayLike) -> None: ...

        def __getattr__(self, name: str) -> Float[Array, ""]: ...

else:

    def _declare_fields(namespace: dict[str, Any]) -> None:
        """Write one annotated field per cosmological row of the table into the body of a class."""
        namespace["__module__"] = __name__
        namespace["__annotations__"] = dict.fromkeys(COSMOLOGICAL, Float[Array, ""])
        namespace.update({name: eqx.field(converter=_float64_scalar) for name in COSMOLOGICAL})

    _Fields = new_class("_Fields", (eqx.Module,), exec_body=_declare_fields)


class Parameters(_Fields):
    """Parameters of a flat w0wa-CDM cosmology, float64 scalars, given by keyword.

    The fields are the cosmological rows of `lenscast.parameters`, which states their meaning and unit. The dark energy
    has the equation of state w(a) = w0 + wa (1 - a) (Linder 2003, astro-ph/0208512).
    """

    @property
    def Omega_m(self) -> Float[Array, ""]:
        """Matter density today [critical density]."""
        return self.Omega_c + self.Omega_b

    @classmethod
    def of(cls, values: Mapping[str, float]) -> "Parameters":
        """Parameters from a mapping of each name to its value.

        Parameters
        ----------
        values
            Value of every cosmological parameter, and of nothing else.

        Raises
        ------
        ValueError
            If a name is missing or unknown.
        """
        _require_known(values)
        missing = [name for name in COSMOLOGICAL if name not in values]
        if missing:
            raise ValueError(f"no value for cosmological parameters {missing}: give all of {COSMOLOGICAL}")
        return cls(**{name: jnp.asarray(value) for name, value in values.items()})


def basis(parameters: Parameters, names: Sequence[str]) -> Parameters:
    """Unit tangent vectors, one per name, along a leading axis ``param``.

    ``jax.vmap(lambda tangent: jax.jvp(f, (parameters,), (tangent,))[1])(basis(parameters, names))`` is the derivative
    of f with respect to the named parameters, in the order of the names.

    Parameters
    ----------
    parameters
        Point at which the derivative is taken. The tangents depend on its structure only, not on its values.
    names
        Parameters with respect to which f is differentiated.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    _require_known(names)
    leaves = [jnp.array([chosen == name for chosen in names], dtype=jnp.float64) for name in COSMOLOGICAL]
    # not Parameters(...): its converter refuses the leading axis
    return jax.tree.unflatten(jax.tree.structure(parameters), leaves)


def _require_known(names: Mapping[str, float] | Sequence[str]) -> None:
    """Raise if one of the names is not a cosmological parameter."""
    unknown = [name for name in names if name not in COSMOLOGICAL]
    if unknown:
        raise ValueError(f"unknown cosmological parameters {unknown}: choose from {COSMOLOGICAL}")
