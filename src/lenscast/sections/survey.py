"""Sections of the survey: source bins, shape noise, sky area, and the nuisance parameters with their constants."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from lenscast.parameters import NUISANCE, field

from .input_file import InputFile
from .redshift_table import Table, read_table
from .section import Ascending, Section

LARGEST_SHIFT = 0.002
"""Half the spacing of a table that may be read without a word on what its rows are: what LSST Year 1 requires of mean
redshifts, arXiv:1809.01669."""

# the nearest galaxies whose light matter in front of them lenses; `lenscast.lensing.kernels` shifts none closer
NEAREST = 1e-3
Redshifts = Annotated[tuple[Annotated[float, Field(ge=NEAREST, le=20.0)], ...], Ascending]
# the deepest images have 1e3 galaxies per arcmin^2; galaxies of a square arcsecond cover the sky at 4e3
Density = Annotated[float, Field(ge=1e-3, le=1e4)]


class PlaneSources(Section):
    """Sources at single redshifts."""

    kind: Literal["planes"] = Field(description="planes: sources at single redshifts")
    z: Redshifts = Field(min_length=1, description="redshifts of the sources, increasing")

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
    z0: float = Field(ge=NEAREST, le=10.0, description="redshift z0 of n(z)")
    alpha: float = Field(ge=0.1, le=20.0, description="power alpha of n(z)")
    bins: int = Field(ge=1, le=20, description="tomographic bins of equal numbers of galaxies")
    sigma_z: float = Field(ge=0.0, le=1.0, description="scatter of photometric redshifts in units of 1 + z")
    z_max: float = Field(ge=0.01, le=10.0, description="largest redshift of a galaxy")

    @property
    def number(self) -> int:
        """Number of sources."""
        return self.bins


class TabulatedSources(Section):
    """Redshift distributions in a file."""

    kind: Literal["table"] = Field(description="table: redshift distributions in a file")
    file: InputFile = Field(
        description="text with any usual separator, .npy, or FITS (SACC, or a table NZ_SOURCE as of KiDS, DES and HSC) "
        "where astropy is installed; columns: increasing redshifts, and n(z) of each source"
    )
    interpretation: Literal["points", "histogram"] | None = Field(
        default=None,
        description="points: n(z) is linear between rows; histogram: n(z) is constant in bins. Needed where rows are "
        "equally spaced and no column is named z_low or z_mid",
    )
    redshifts: Literal["starts", "centres", "edges"] | None = Field(
        default=None,
        description="redshifts of a histogram: starts or centres of its bins, or edges, and n(z) = 0 at the last",
    )

    @property
    def table(self) -> Table:
        """Rows of the file."""
        return read_table(self.file)

    @property
    def is_histogram(self) -> bool:
        """Whether rows are bins of a histogram."""
        said = self.interpretation
        return said == "histogram" or (said is None and self.table.redshifts is not None)

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins of a histogram, one more than there are rows with galaxies."""
        z, _, said, last = self.table
        kind = self.redshifts or said
        steps = np.diff(z)
        if kind == "edges":
            return z
        if kind == "starts":
            return np.append(z, z[-1] + steps[-1] if last is None else last)
        middle = (z[1:] + z[:-1]) / 2
        return np.concatenate([[max(z[0] - steps[0] / 2, 0.0)], middle, [z[-1] + steps[-1] / 2]])

    @property
    def number(self) -> int:
        """Number of sources."""
        return self.table.n.shape[1]

    @property
    def z_max(self) -> float:
        """Largest redshift of a galaxy."""
        return float(self.edges[-1] if self.is_histogram else self.table.z[-1])

    @model_validator(mode="after")
    def _is_a_table_of_distributions(self) -> "TabulatedSources":
        z, n, said, _ = self.table
        if self.interpretation == "points" and self.redshifts is not None:
            raise ValueError("interpretation = points has no redshifts of bins; remove redshifts, or give histogram")
        if self.is_histogram and (self.redshifts or said) is None:
            raise ValueError("interpretation = histogram without redshifts; give starts, centres or edges")
        if self.interpretation is None and said is None and self.redshifts is not None:
            raise ValueError("redshifts of bins without interpretation; give interpretation: histogram")
        steps = np.diff(z)
        even = len(z) > 2 and np.allclose(steps, steps[0], rtol=0.02)
        if self.interpretation is None and said is None and even and steps[0] / 2 > LARGEST_SHIFT:
            raise ValueError(
                f"the rows of {self.file} are {steps[0]:.3g} apart, as bins of a histogram are; read as points, starts "
                f"of bins shift the mean redshift by {steps[0] / 2:.2g}; give interpretation: points, or "
                "interpretation: histogram with redshifts: starts, centres or edges"
            )
        if self.is_histogram and self.redshifts == "edges" and np.any(n[-1] != 0):
            raise ValueError(
                f"redshifts = edges, but {self.file} has n(z) in the last row, after the last edge; give 0"
            )
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
    file: InputFile = Field(
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
    # from a field of the Hubble Space Telescope, 4 arcmin^2, to the sky
    area_deg2: float = Field(ge=1e-3, le=41253.0, description="survey area that is not masked [deg^2]")
    # shear measured from kinematics has the least shape noise, 0.02
    sigma_e: float = Field(ge=1e-4, le=1.0, description="shape noise per ellipticity component, which is below 1")
    n_gal: tuple[Density, ...] = Field(min_length=1, description="galaxies per arcmin^2 of each source")
    depth: UniformDepth | DepthMap = Field(
        discriminator="kind", description="galaxies over the field: uniform, or a map, which has a file and max_masked"
    )


class MapSurvey(Section):
    """Shape noise and area of the survey that observes the maps."""

    area_deg2: float = Field(gt=0.0, le=41253.0, description="survey area that is not masked [deg^2]")
    sigma_e: float = Field(gt=0.0, le=1.0, description="shape noise per ellipticity component")
    n_gal: tuple[Density, ...] = Field(min_length=1, description="galaxies per arcmin^2 of each source")
    depth: UniformDepth | DepthMap = Field(
        default=UniformDepth(kind="uniform"), discriminator="kind", description="galaxies over the field"
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
    C1_rho_crit: float = Field(
        ge=1e-6, le=1.0, description="normalisation C1 of alignments times critical density today"
    )
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
