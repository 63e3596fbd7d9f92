"""Sections of the config that decide what is simulated: cosmology, box, lightcone, survey and seeds."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lenscast import weights

from .errors import did_you_mean
from .section import IncreasingPositive, Positive, Section

SCALE_TOLERANCE = 0.1


class CosmologyConfig(Section):
    """Fiducial flat w0wa-CDM cosmology; its fields are the parameters that a forecast can vary."""

    Omega_c: float = Field(gt=0.0, lt=1.0, description="cold dark matter density today [critical density]")
    Omega_b: float = Field(gt=0.0, lt=1.0, description="baryon density today [critical density]")
    h: float = Field(ge=0.2, le=2.0, description="Hubble constant [100 km/s/Mpc]")
    n_s: float = Field(ge=0.2, le=2.0, description="slope of the primordial power spectrum")
    sigma8: float = Field(gt=0.0, le=3.0, description="linear rms density in spheres of 8 Mpc/h today")
    w0: float = Field(ge=-3.0, le=-0.2, description="dark energy equation of state today")
    wa: float = Field(ge=-3.0, le=2.0, description="evolution of it: w(a) = w0 + wa (1 - a)")

    @model_validator(mode="after")
    def _matter_first_dark_energy_last(self) -> "CosmologyConfig":
        matter, early = self.Omega_c + self.Omega_b, self.w0 + self.wa
        if matter >= 1.0:
            raise ValueError(f"Omega_c + Omega_b = {matter:g} leaves no dark energy; keep it below 1")
        if early >= 0.0:
            raise ValueError(f"w0 + wa = {early:g} lets dark energy dominate early; keep it below 0")
        return self


PARAMETERS = tuple(CosmologyConfig.model_fields)


class FixedSteps(Section):
    """Growth-matched symplectic steps, uniform in the growth factor."""

    kind: Literal["bullfrog", "fastpm"] = Field(
        description="bullfrog (arXiv:2409.19049, exact to 2LPT in a step) or fastpm (arXiv:1603.00476)"
    )
    steps: int = Field(ge=1, description="number of steps from a_start to the nearest plane")


class AdaptiveSteps(Section):
    """Adaptive Runge-Kutta steps of diffrax."""

    kind: Literal["tsit5", "dopri5"] = Field(description="Runge-Kutta solver of fifth order")
    rtol: float = Field(ge=1e-7, le=0.1, description="relative tolerance of a step; float32 resolves 1e-7")
    atol: float = Field(ge=1e-9, le=10.0, description="absolute tolerance of positions [Mpc/h] and momenta [H0 Mpc/h]")


class MethodConfig(Section):
    """How particles move: what a simulation has apart from its box."""

    mesh_factor: Literal[1, 2] = Field(description="force mesh points per particle spacing")
    a_start: float = Field(gt=0.0, lt=1.0, description="scale factor of the LPT start")
    lpt_order: Literal[1, 2] = Field(description="order of the LPT start")
    gradient: Literal["spectral", "finite_difference"] = Field(description="gradient of the potential on the mesh")
    integrator: FixedSteps | AdaptiveSteps = Field(
        discriminator="kind",
        description="time integration: bullfrog and fastpm have steps, tsit5 and dopri5 have rtol and atol",
    )


def _shipped_or_path(name: str) -> str:
    """Refuse the name of weights that do not come with the package."""
    if not weights.is_path(name) and name not in weights.shipped():
        raise ValueError(
            f"no weights {name} come with the package{did_you_mean(name, weights.shipped())}; a path has a / in it or "
            "ends in .json"
        )
    return name


class NoCorrection(Section):
    """The particle mesh as it is."""

    kind: Literal["none"] = Field(description="none: the particle mesh as it is")


class TrainedCorrection(Section):
    """A correction of small scales with trained weights."""

    kind: Literal["hpn", "pgd"] = Field(description="hpn (of the force, arXiv:2207.05509) or pgd (arXiv:1804.00671)")
    weights: Annotated[str, AfterValidator(_shipped_or_path)] = Field(
        description="name of weights that come with the package, or path of a file that `train_correction` made"
    )


class SimulationConfig(MethodConfig):
    """One periodic particle-mesh box."""

    box_size: float = Field(gt=0.0, description="comoving side of the box [Mpc/h]")
    particles: int = Field(ge=8, multiple_of=2, description="particles per side of the box")
    correction: NoCorrection | TrainedCorrection = Field(
        discriminator="kind", description="correction of small scales: none, or hpn and pgd, which have weights"
    )


class LightconeConfig(Section):
    """Lens planes cut from the box, and the maps that look through them."""

    slabs_per_box: int = Field(ge=1, description="slabs that a box is cut into, each as thick as a plane")
    planes: int = Field(ge=1, description="number of lens planes; the last one ends behind every source")
    plane_mesh: int = Field(ge=8, description="mesh points per side of a plane")
    field_deg: float = Field(gt=0.0, le=20.0, description="side of the square map on a flat sky [deg]")
    pixels: int = Field(ge=16, multiple_of=2, description="pixels per side of the map")
    realisations_per_box: int = Field(
        ge=1, description="maps from one box, each with its own rotations, flips and shifts of the planes"
    )

    @property
    def pixel_arcmin(self) -> float:
        """Side of a pixel [arcmin]."""
        return 60.0 * self.field_deg / self.pixels

    def starlet_scale(self, level: int) -> float:
        """Size of starlet level `level`, 2^level pixels [arcmin]."""
        return 2**level * self.pixel_arcmin

    def starlet_level(self, scale_arcmin: float) -> int:
        """Level of the starlet whose size is `scale_arcmin`, to 10 %.

        Raises
        ------
        ValueError
            if there is none.
        """
        level = round(math.log2(scale_arcmin / self.pixel_arcmin))
        if level < 1 or abs(scale_arcmin / self.starlet_scale(level) - 1.0) >= SCALE_TOLERANCE:
            raise ValueError(f"{scale_arcmin:g} arcmin is not 2^j pixels of {self.pixel_arcmin:.4g} arcmin within 10 %")
        return level


class UniformDepth(Section):
    """The same number of galaxies everywhere, and no mask."""

    kind: Literal["uniform"] = Field(description="uniform: the same number of galaxies everywhere, and no mask")


class DepthMap(Section):
    """Number of galaxies over the field."""

    kind: Literal["map"] = Field(description="map: the number of galaxies varies, and is 0 where masked")
    file: str = Field(
        description="path of a NumPy file (.npy) of pixels x pixels: galaxies per pixel over n_gal, 0 where masked"
    )
    max_masked: float = Field(
        ge=0.0,
        le=0.5,
        description="peaks count where masked pixels hold at most this share of the squared weights of their filter",
    )


class SurveyConfig(Section):
    """Sources, shape noise and sky area."""

    z_source: IncreasingPositive = Field(min_length=1, description="redshifts of the sources, increasing")
    area_deg2: float = Field(gt=0.0, le=41253.0, description="survey area that is not masked [deg^2]")
    sigma_e: float = Field(gt=0.0, description="shape noise per ellipticity component")
    n_gal: tuple[Positive, ...] = Field(min_length=1, description="galaxies per arcmin^2 of each source")
    depth: UniformDepth | DepthMap = Field(
        discriminator="kind", description="galaxies over the field: uniform, or a map, which has a file and max_masked"
    )


class SeedsConfig(Section):
    """A range of seeds, one for each box."""

    first_seed: int = Field(ge=0, lt=2**31, description="seed of the first box; the others follow")
    boxes: int = Field(ge=2, le=10**6, description="number of boxes, a multiple of boxes_per_batch")

    @property
    def seeds(self) -> range:
        """The seeds of all boxes."""
        return range(self.first_seed, self.first_seed + self.boxes)


class DerivativesConfig(SeedsConfig):
    """Boxes with tangents: mean and Jacobian of the statistics."""

    noise_realisations: int = Field(
        ge=1, description="shape-noise realisations averaged per map in the expected statistic"
    )
