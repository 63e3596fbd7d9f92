"""The table of parameters: one row for each that a forecast can vary.

Everything that has to know which parameters exist reads this table: the sections of the config with their ranges, the
tangents, theory, the labels of figures, and exports. A new parameter is one row here, and its physics.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import Field

Entry = Literal["initial conditions", "planes", "kernels", "map"]


class Parameter(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name
        Name in the config, in files and in the code, in CCL's spelling where CCL has the parameter.
    symbol
        LaTeX symbol, without dollar signs.
    meaning
        What the parameter is, with its unit in square brackets if it has one.
    limits
        Allowed range, as constraints of pydantic (``gt``, ``ge``, ``lt``, ``le``).
    enters
        Where the parameter enters the forward model, and so where its tangent starts: a cosmological parameter in the
        initial conditions, the others in the lens planes, in the lensing kernels of the planes, or in the map.
    step
        Step of central differences with respect to the parameter where the config gives none.
    per_source
        Whether each source bin has a parameter of its own, named ``<name>_1``, ``<name>_2``, ... in the order of the
        bins, with the fiducial value 0.
    """

    name: str
    symbol: str
    meaning: str
    limits: Mapping[str, float]
    enters: Entry
    step: float
    per_source: bool = False


# fmt: off
_ROWS = (
    Parameter("Omega_c", r"\Omega_c", "cold dark matter density today [critical density]",
              {"ge": 0.001, "lt": 1.0}, "initial conditions", 0.002),
    Parameter("Omega_b", r"\Omega_b", "baryon density today [critical density]",
              {"ge": 0.0001, "lt": 1.0}, "initial conditions", 0.001),
    Parameter("h", "h", "Hubble constant [100 km/s/Mpc]",
              {"ge": 0.2, "le": 2.0}, "initial conditions", 0.005),
    Parameter("n_s", "n_s", "slope of the primordial power spectrum",
              {"ge": 0.2, "le": 2.0}, "initial conditions", 0.005),
    Parameter("sigma8", r"\sigma_8", "rms of the linear density today in spheres of 8 Mpc/h",
              {"ge": 0.01, "le": 3.0}, "initial conditions", 0.003),
    Parameter("w0", "w_0", "dark energy equation of state today",
              {"ge": -3.0, "le": -0.2}, "initial conditions", 0.01),
    Parameter("wa", "w_a", "evolution of the equation of state, w(a) = w0 + wa (1 - a)",
              {"ge": -3.0, "le": 2.0}, "initial conditions", 0.05),
    Parameter("A_IA", r"A_\mathrm{IA}", "amplitude of intrinsic alignments (NLA)",
              {"ge": -20.0, "le": 20.0}, "kernels", 0.1),
    Parameter("eta", r"\eta_\mathrm{IA}", "power of (1 + z) / (1 + z_pivot) in the amplitude of intrinsic alignments",
              {"ge": -10.0, "le": 10.0}, "kernels", 0.1),
    Parameter("log10_T_AGN", r"\log_{10} T_\mathrm{AGN}",
              "strength of baryonic feedback, log10 of the temperature of AGN heating [K]",
              {"ge": 7.6, "le": 8.3}, "planes", 0.1),
    Parameter("delta_z", r"\Delta z", "shift of the redshifts of a source bin", {}, "kernels", 0.01, per_source=True),
    Parameter("m", "m", "multiplicative bias of the shear of a source bin", {}, "map", 0.01, per_source=True),
)
# fmt: on

PARAMETERS: Mapping[str, Parameter] = MappingProxyType({row.name: row for row in _ROWS})
"""All rows by name, cosmological parameters first."""

COSMOLOGICAL: tuple[str, ...] = tuple(row.name for row in _ROWS if row.enters == "initial conditions")
"""Names of the cosmological parameters."""

NUISANCE: tuple[str, ...] = tuple(row.name for row in _ROWS if row.enters != "initial conditions")
"""Names of the nuisance parameters of survey and astrophysics."""

PER_SOURCE: tuple[str, ...] = tuple(row.name for row in _ROWS if row.per_source)
"""Names of the parameters that each source bin has its own of."""


DERIVED: Mapping[str, str] = MappingProxyType({"S8": "S_8", "Omega_m": r"\Omega_m"})
"""Symbols of parameters that follow from those of the table."""


def field(name: str) -> Any:
    """Field of a section of the config that holds the fiducial value of a parameter."""
    row = PARAMETERS[name]
    constraints: dict[str, Any] = dict(row.limits)
    return Field(description=row.meaning, **constraints)


def expanded(name: str, sources: int) -> tuple[str, ...]:
    """Parameters that a name in the config stands for: one of each source bin, or the one that bins share."""
    if name in PARAMETERS and PARAMETERS[name].per_source:
        return tuple(f"{name}_{number}" for number in range(1, sources + 1))
    return (name,)


def stem(parameter: str) -> str:
    """Name of the row that a parameter belongs to: of ``delta_z_2``, ``delta_z``; of others, the name itself."""
    name, _, number = parameter.rpartition("_")
    return name if name in PER_SOURCE and number.isdecimal() else parameter


def limits(parameter: str) -> tuple[float | None, float | None]:
    """Allowed range of a parameter; None where it has no end, or the name is unknown."""
    row = PARAMETERS.get(stem(parameter))
    ends = row.limits if row else {}
    return ends.get("gt", ends.get("ge")), ends.get("lt", ends.get("le"))


def label(parameter: str) -> str | None:
    """LaTeX symbol of a parameter, with the number of its source bin; None for an unknown name."""
    if parameter in DERIVED:
        return DERIVED[parameter]
    name = stem(parameter)
    if name not in PARAMETERS:
        return None
    symbol = PARAMETERS[name].symbol
    return symbol if name == parameter else f"{symbol}_{{{parameter.rpartition('_')[2]}}}"
