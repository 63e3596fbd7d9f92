"""Parameters that follow from others; their errors are to first order, with derivatives at the fiducial."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class DerivedParameter(NamedTuple):
    """A function of the parameters, to first order about the fiducial point.

    Attributes
    ----------
    name
        Name of the derived parameter.
    value
        Fiducial value.
    gradient
        Derivative with respect to each parameter on which it depends.
    """

    name: str
    value: float
    gradient: Mapping[str, float]


def Omega_m(fiducial: Mapping[str, float]) -> DerivedParameter:
    """Omega_m = Omega_c + Omega_b, without neutrinos.

    Parameters
    ----------
    fiducial
        Fiducial values that include ``Omega_c`` and ``Omega_b``.
    """
    return DerivedParameter("Omega_m", fiducial["Omega_c"] + fiducial["Omega_b"], {"Omega_c": 1.0, "Omega_b": 1.0})


def S8(fiducial: Mapping[str, float]) -> DerivedParameter:
    """S8 = sigma8 sqrt(Omega_m / 0.3), with Omega_m = Omega_c + Omega_b where it is not given.

    Parameters
    ----------
    fiducial
        Fiducial values that include ``sigma8``, and ``Omega_m`` or ``Omega_c`` and ``Omega_b``.
    """
    matter = fiducial["Omega_m"] if "Omega_m" in fiducial else Omega_m(fiducial).value
    root = float(np.sqrt(matter / 0.3))
    # dS8/dOmega_m, the same for both densities
    slope = fiducial["sigma8"] * root / (2 * matter)
    gradient = {"Omega_m": slope, "Omega_c": slope, "Omega_b": slope, "sigma8": root}
    return DerivedParameter("S8", fiducial["sigma8"] * root, gradient)


def derived_parameters(names: Sequence[str], fiducial: Mapping[str, float]) -> list[DerivedParameter]:
    """Derived parameters of tables: S8, where sigma8 and the matter density vary.

    Parameters
    ----------
    names
        Parameters.
    fiducial
        Value of each parameter, and possibly of others.
    """
    density = "Omega_m" in names or ("Omega_c" in names and "Omega_b" in fiducial)
    return [S8(fiducial)] if "sigma8" in names and density else []


def derived_jacobian(names: Sequence[str], derived: Sequence[DerivedParameter]) -> Float[np.ndarray, "all param"]:
    """Derivatives with respect to the parameters: of the parameters themselves, then of the derived parameters.

    Parameters
    ----------
    names
        Parameters. Parameters that a gradient names but that are not among these are held fixed.
    derived
        Derived parameters.
    """
    gradients = [[parameter.gradient.get(name, 0.0) for name in names] for parameter in derived]
    return np.vstack([np.eye(len(names)), *gradients])
