"""Sections of the survey: source bins, shape noise, sky area, and the nuisance parameters with their constants."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from lenscast.parameters import NUISANCE, field

from .section import IncreasingPositive, Positive, Section


class PlaneSources(Section):
    """Sources at single redshifts."""

    kind: Literal["planes"] = Field(description="planes: sources at single redshifts")
    z: IncreasingPositive = Field(min_length=1, description="redshifts of the sources, increasing")

    @property
    def number(self) -> int:
        """Number of sources."""
        return len(self.z)

    @property
    def z_max(self) -> float:
        """Redshift of the farthest galaxies."""
        return self.z[-1]


class SmailSources(Section):
    """Tomographic bins of equal numbers of galaxies, n(z) ~ z^2 exp[-(z / z0)^alpha]."""

    kind: Literal["smail"] = Field(description="smail: tomographic bins of n(z) ~ z^2 exp[-(z / z0)^alpha]")
    z0: float = Field(gt=0.0, description="redshift z0 of n(z)")
    alpha: float = Field(gt=0.0, description="power alpha of n(z)")
    bins: int = Field(ge=1, le=20, description="tomographic bins of equal numbers of galaxies")
    sigma_z: float = Field(ge=0.0, le=1.0, description="scatter of photometric redshifts in units of 1 + z")
    z_max: float = Field(gt=0.0, le=10.0, description="largest redshift of a galaxy")

    @property
    def number(self) -> int:
        """Number of sources."""
        return self.bins


class TabulatedSources(Section):
    """Redshift distributions in a file."""

    kind: Literal["table"] = Field(description="table: redshift distributions in a file")
    file: str = Field(
        description="text file; columns: increasing redshifts, and n(z) of each source in any unit, linear between rows"
    )

    @property
    def table(self) -> np.ndarray:
        """Rows of the file."""
        return np.loadtxt(Path(self.file), ndmin=2)

    @property
    def number(self) -> int:
        """Number of sources."""
        return self.table.shape[1] - 1

    @property
    def z_max(self) -> float:
        """Last redshift of the table."""
        return float(self.table[-1, 0])

    @model_validator(mode="after")
    def _is_a_table_of_distributions(self) -> "TabulatedSources":
        try:
            table = self.table
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read {self.file} ({error}); give a text file of numbers in columns") from None
        if table.shape[0] < 2 or table.shape[1] < 2:
            rows, columns = table.shape
            raise ValueError(f"{self.file} has {rows} rows and {columns} columns; 2 is the least of both")
        z, n = table[:, 0], table[:, 1:]
        if not (np.all(np.isfinite(table)) and z[0] >= 0 and np.all(np.diff(z) > 0)):
            raise ValueError(f"{self.file}: redshifts in the first column must increase from 0 or more; sort the rows")
        if np.any(n < 0) or np.any(n.max(axis=0) == 0):
            raise ValueError(f"{self.file}: n(z) in the other columns must be 0 or more, and not 0 everywhere")
        return self


SourcesSection = Annotated[
    PlaneSources | SmailSources | TabulatedSources,
    Field(discriminator="kind", description="redshifts of the sources: planes, smail, or table"),
]


class UniformDepth(Section):
    """The same number of galaxies everywhere, and no mask."""

    kind: Literal["uniform"] = Field(description="uniform: the same number of galaxies everywhere, and no mask")


class DepthMap(Section):
    """Number of galaxies over the field."""

    kind: Literal["map"] = Field(description="map: the number of galaxies varies, and is 0 where masked")
    file: str = Field(
        description="path of an array of pixels x pixels (.npy, or a FITS image where astropy is installed): galaxies "
        "per pixel over n_gal, with a mean near 1, and 0 where masked"
    )
    max_masked: float = Field(
        ge=0.0,
        le=0.5,
        description="peaks count where masked pixels hold at most this share of the squared weights of their filter",
    )


class Survey(Section):
    """Sources, shape noise and sky area."""

    sources: SourcesSection
    area_deg2: float = Field(gt=0.0, le=41253.0, description="survey area that is not masked [deg^2]")
    sigma_e: float = Field(gt=0.0, description="shape noise per ellipticity component")
    n_gal: tuple[Positive, ...] = Field(min_length=1, description="galaxies per arcmin^2 of each source")
    depth: UniformDepth | DepthMap = Field(
        discriminator="kind", description="galaxies over the field: uniform, or a map, which has a file and max_masked"
    )


class NoBaryons(Section):
    """Dark matter only."""

    kind: Literal["none"] = Field(description="none: dark matter only")


class Feedback(Section):
    """Suppression of small scales by feedback."""

    kind: Literal["hmcode2020"] = Field(description="hmcode2020: feedback as of HMCode2020 (arXiv:2009.01858)")
    log10_T_AGN: float = field("log10_T_AGN")


class SystematicsSection(Section):
    """Fiducial values of the nuisance parameters; shifts of redshift and shear calibrations are 0."""

    A_IA: float = field("A_IA")
    eta: float = field("eta")
    z_pivot: float = Field(ge=0.0, le=10.0, description="redshift at which the amplitude of alignments is A_IA")
    C1_rho_crit: float = Field(gt=0.0, description="normalisation C1 of alignments times the critical density today")
    baryons: NoBaryons | Feedback = Field(
        discriminator="kind", description="baryonic feedback: none, or hmcode2020, which has log10_T_AGN"
    )

    @property
    def values(self) -> dict[str, float]:
        """Fiducial values of the parameters that all source bins share, by name."""
        sections = (self, self.baryons)
        return {
            name: getattr(section, name)
            for name in NUISANCE
            for section in sections
            if name in type(section).model_fields
        }
