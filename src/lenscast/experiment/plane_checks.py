"""Whether lens planes carry the sources: the sum over planes is compared with the integral along the line of sight.

Planes sample the lensing kernel at their centres. Where it changes much from one plane to the next, as in front of near
sources, the sum is another number than the integral.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lenscast.experiment.experiment import Experiment
from lenscast.experiment.matter import MatterPower, matter_power
from lenscast.geometry import comoving_distances
from lenscast.sections.cosmology import FlatCosmology
from lenscast.sections.errors import Problem
from lenscast.sections.forecast import ForecastSection
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.survey import Survey
from lenscast.sources import Sources, redshift_distributions
from lenscast.statistics import Statistic

WARNED, REFUSED = 0.02, 0.2
"""Relative errors of C_ell that are remarked on, and that are refused."""

STEPS = 400  # of the integral, or of 4 Mpc/h where these are more
STEP = 4.0
THINNEST = 2.0
"""Thinnest planes that are advised [Mpc/h]: a mesh resolves no thinner ones."""


class Mismatch(NamedTuple):
    """Where the sum over planes is farthest from the integral.

    Attributes
    ----------
    ratio
        C_ell of the sum over that of the integral.
    source_1, source_2
        Source bins, counted from 1.
    ell
        Multipole.
    """

    ratio: float
    source_1: int
    source_2: int
    ell: float

    @property
    def error(self) -> float:
        """Relative error of C_ell."""
        return abs(self.ratio - 1)


class LineOfSight(NamedTuple):
    """Tables of a cosmology and its sources along the line of sight."""

    sources: Sources
    power: MatterPower
    z: Float[np.ndarray, " knot"]
    chi: Float[np.ndarray, " knot"]

    @classmethod
    def of(cls, cosmology: FlatCosmology, survey: Survey) -> "LineOfSight":
        """Tables up to the farthest galaxies."""
        sources = redshift_distributions(survey.sources)
        z = float(sources.high[-1]) * np.linspace(0.0, 1.0, 512) ** 2
        return cls(sources, matter_power(cosmology), z, comoving_distances(z, cosmology))

    def efficiency(self, chi: Float[np.ndarray, " plane"]) -> Float[np.ndarray, "plane source"]:
        """Mean of 1 - chi / chi(z) over the galaxies behind each plane, times their share."""
        cells = (self.sources.low, self.sources.z, self.sources.high)
        low, middle, high = (np.interp(z, self.z, self.chi) for z in cells)
        ends = np.ravel([low, high], order="F")
        columns = []
        for share in self.sources.share:
            # galaxies behind the near end of each cell and behind its far end, and the sums of their 1 / chi
            sums = [np.append(np.cumsum(each[::-1])[::-1], 0.0) for each in (share, share / middle)]
            behind, inverse = (np.interp(chi, ends, np.ravel([each[:-1], each[1:]], order="F")) for each in sums)
            columns.append(behind - chi * inverse)
        return np.stack(columns, axis=1)

    def scale_factor(self, chi: Float[np.ndarray, " plane"]) -> Float[np.ndarray, " plane"]:
        """Scale factor when the light is at these distances."""
        return 1 / (1 + np.interp(chi, self.chi, self.z))

    def kernel(self, chi: Float[np.ndarray, " plane"]) -> Float[np.ndarray, "plane source"]:
        """Convergence by the overdensity of matter per length, over 3/2 Omega_m (H0 / c)^2 [Mpc/h]."""
        return (chi / self.scale_factor(chi))[:, None] * self.efficiency(chi)

    def spectra(
        self, chi: Float[np.ndarray, " plane"], ell: Float[np.ndarray, " ell"]
    ) -> Float[np.ndarray, "pair ell"]:
        """Sums over planes of one thickness at these distances, in a unit that all thicknesses share."""
        a, kernel = self.scale_factor(chi), self.kernel(chi)
        first, second = np.triu_indices(kernel.shape[1])
        matter = self.power(ell / chi[:, None], a) / chi[:, None] ** 2
        thickness = 2 * chi[0]
        return thickness * np.einsum("cp,cl->pl", kernel[:, first] * kernel[:, second], matter)

    def mismatch(self, thickness: float, ell: Float[np.ndarray, " ell"]) -> Mismatch:
        """Where planes of a thickness are farthest from the integral."""
        end = self.chi[-1]
        steps = max(STEPS, math.ceil(end / STEP))
        if thickness <= end / steps:
            return Mismatch(1.0, 1, 1, float(ell[0]))
        integral = self.spectra((np.arange(steps) + 0.5) * end / steps, ell)
        # a plane behind the sources has no kernel, and stands for the sum where there is none in front
        centres = (np.arange(math.ceil(end / thickness)) + 0.5) * thickness
        ratio = np.divide(self.spectra(centres, ell), integral, out=np.ones_like(integral), where=integral > 0)
        pair, number = np.unravel_index(np.argmax(np.abs(ratio - 1)), ratio.shape)
        first, second = (int(each[pair]) + 1 for each in np.triu_indices(len(self.sources)))
        return Mismatch(float(ratio[pair, number]), first, second, float(ell[number]))


def used_multipoles(
    lightcone: Lightcone, statistics: Mapping[str, Statistic], forecast: ForecastSection
) -> Float[np.ndarray, " ell"]:
    """Smallest, middle and largest multipole of the data vectors; those of the maps where counts have none."""
    used = {name for vector in forecast.data_vectors.values() for name in vector}
    field, pixel = math.radians(lightcone.field_deg), math.radians(lightcone.pixel_arcmin / 60)
    of_map = (4 * math.pi / field, math.pi / (2 * pixel))
    edges = [getattr(each, "ell_edges", of_map) for name, each in statistics.items() if name in used]
    ends = [end for each in edges for end in (each[0], each[-1])] or [*of_map]
    return np.geomspace(min(ends), max(ends), 3)


def check_plane_sum(
    cosmology: FlatCosmology,
    lightcone: Lightcone,
    survey: Survey,
    statistics: Mapping[str, Statistic],
    forecast: ForecastSection,
) -> Iterator[Problem]:
    """The sum over planes is the integral along the line of sight to 20 %."""
    for text in _beyond(REFUSED, LineOfSight.of(cosmology, survey), lightcone, statistics, forecast):
        yield Problem("lightcone.slabs_per_box", text)


def plane_remarks(experiment: Experiment) -> Iterator[str]:
    """Where the sum over planes differs from the integral by more than 2 %, and what to do."""
    line = LineOfSight.of(experiment.cosmology, experiment.survey)
    for text in _beyond(WARNED, line, experiment.lightcone, experiment.statistics, experiment.forecast):
        yield f"lightcone.slabs_per_box: {text}"


def _beyond(
    limit: float,
    line: LineOfSight,
    lightcone: Lightcone,
    statistics: Mapping[str, Statistic],
    forecast: ForecastSection,
) -> Iterator[str]:
    """How far the sum over planes is from the integral, where by more than a limit, and what to do."""
    ell = used_multipoles(lightcone, statistics, forecast)
    found = line.mismatch(lightcone.thickness, ell)
    if found.error > limit:
        yield f"{_said(found, lightcone)}; {_advice(line, lightcone, ell)}"


def _said(found: Mismatch, lightcone: Lightcone) -> str:
    """The mismatch in part of a sentence."""
    bins = f"source bin {found.source_1}"
    if found.source_2 != found.source_1:
        bins = f"source bins {found.source_1} and {found.source_2}"
    return (
        f"planes of {lightcone.thickness:g} Mpc/h make C_ell of {bins} at ell = {found.ell:.0f} {found.ratio:.3g} "
        "times the integral along the line of sight"
    )


def _advice(line: LineOfSight, lightcone: Lightcone, ell: Float[np.ndarray, " ell"]) -> str:
    """The number of slabs, and of planes as far, of which the sum is the integral to half of what is remarked on."""
    slabs = lightcone.slabs_per_box
    for more in dict.fromkeys(math.ceil(slabs * 1.25**step) for step in range(1, 30)):
        thickness = lightcone.box_size / more
        if thickness < THINNEST:
            break
        if line.mismatch(thickness, ell).error <= WARNED / 2:
            planes = math.ceil(lightcone.planes * lightcone.thickness / thickness)
            return f"raise lightcone.slabs_per_box to {more} and lightcone.planes to {planes}"
    return f"no planes of {THINNEST:g} Mpc/h or more are thin enough; leave out these sources"


CHECKS = (check_plane_sum,)
