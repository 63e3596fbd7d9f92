"""Section of the fiducial cosmology; its fields are the cosmological rows of the table of parameters."""

from typing import TYPE_CHECKING, Any

from pydantic import create_model, model_validator

from lenscast.parameters import COSMOLOGICAL, field

from .section import Section


class FlatCosmology(Section):
    """Flat w0wa-CDM cosmology."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> float: ...

    @property
    def Omega_m(self) -> float:
        """Matter density today [critical density]."""
        return self.Omega_c + self.Omega_b

    @model_validator(mode="after")
    def _matter_first_dark_energy_last(self) -> "FlatCosmology":
        early = self.w0 + self.wa
        if self.Omega_m >= 1.0:
            raise ValueError(f"Omega_c + Omega_b = {self.Omega_m:g} leaves no dark energy; keep it below 1")
        if early >= 0.0:
            raise ValueError(f"w0 + wa = {early:g} lets dark energy dominate early; keep it below 0")
        return self


if TYPE_CHECKING:

    class FiducialCosmology(FlatCosmology):
        """Fiducial flat w0wa-CDM cosmology, as mypy sees it: any name, since the table is read at import."""

else:
    _FIELDS: dict[str, Any] = {name: (float, field(name)) for name in COSMOLOGICAL}
    FiducialCosmology = create_model(
        "FiducialCosmology", __base__=FlatCosmology, __doc__="Fiducial flat w0wa-CDM cosmology.", **_FIELDS
    )
