"""Posterior of the parameters and of the initial field given one convergence map: the map itself is the data.

A position of a sampler is the white noise of the initial field, followed by the coordinates of the parameters. Both are
standard normal before the map is seen, or nearly so. The sum over pixels is 64-bit.
"""

from collections.abc import Mapping
from typing import NamedTuple

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast import pipeline
from lenscast.corrections import Correction
from lenscast.cosmology import Parameters
from lenscast.experiment import Experiment
from lenscast.fisher.matrices import FisherMatrix, ParameterCovariance, prior_information
from lenscast.gravity import white_noise
from lenscast.inference.coordinates import Coordinates
from lenscast.lensing import Systematics
from lenscast.measurement import calibrated, noise_maps, summarise
from lenscast.model import Theta
from lenscast.parameters import COSMOLOGICAL, NUISANCE, PER_SOURCE, expanded
from lenscast.statistics import Region, ShapeNoise
from lenscast.streams import INITIAL_FIELD, box_key

__all__ = ["FieldPosterior", "MockField", "forecast_of_map", "map_area_deg2", "mock_data", "mock_field"]


class MockField(NamedTuple):
    """Convergence map of a box with what made it.

    Attributes
    ----------
    observed
        Convergence with shape noise, 0 where masked.
    position
        White noise of the initial field and coordinates of the parameters, the truth that a chain is to find.
    """

    observed: Float32[Array, "source y x"]
    position: Float64[Array, " dim"]


class FieldPosterior(eqx.Module):
    """Posterior density of parameters and initial field.

    Attributes
    ----------
    coordinates
        Map from the last coordinates of a position to the parameters.
    priors
        Information of the Gaussian priors, which are centred on the fiducial values.
    correction
        Correction of small scales.
    rms
        Rms of the shape noise per pixel, 0 where masked (`ShapeNoise.rms_maps`).
    experiment
        What is simulated.
    seed
        Seed of the views: the map shows realisation 0 of the box with this seed.
    """

    coordinates: Coordinates
    priors: Float64[Array, "param param"]
    correction: Correction | None
    rms: Float32[Array, "source _ _"]
    experiment: Experiment = eqx.field(static=True)
    seed: int = eqx.field(static=True)

    @classmethod
    def of_forecast(
        cls, forecast: FisherMatrix, experiment: Experiment, correction: Correction | None = None
    ) -> "FieldPosterior":
        """Posterior whose parameters have about unit variance if the map knows what a statistic of it knows.

        Parameters
        ----------
        forecast
            Information of the survey on the parameters, without priors.
        experiment
            What is simulated, priors and shape noise; the views are those of ``field_level.seed``.
        correction
            Correction of small scales.

        Raises
        ------
        ValueError
            If the forecast has other parameters or other fiducial values than the experiment, the box is split over
            devices, or as `Coordinates.of_posterior`.
        """
        if (devices := experiment.distribution.devices) > 1:
            raise ValueError(f"distribution.devices = {devices}: the field level takes boxes on one device; set 1")
        fiducial = [experiment.fiducial[name] for name in experiment.parameters]
        if forecast.names != experiment.parameters or not np.allclose(forecast.fiducial, fiducial, rtol=1e-12):
            given = ", ".join(
                f"{name} = {value:g}" for name, value in zip(forecast.names, forecast.fiducial, strict=True)
            )
            wanted = ", ".join(
                f"{name} = {value:g}" for name, value in zip(experiment.parameters, fiducial, strict=True)
            )
            raise ValueError(f"the forecast is of {given}, the experiment of {wanted}: make the forecast again")
        noise = ShapeNoise.of_survey(experiment.survey, experiment.lightcone.pixel_arcmin)
        return cls(
            Coordinates.of_posterior(forecast_of_map(forecast, experiment)),
            jnp.asarray(prior_information(forecast.names, experiment.priors)),
            correction,
            noise.rms_maps(),
            experiment,
            experiment.field_level.seed,
        )

    @property
    def modes(self) -> int:
        """Number of values of the white noise."""
        return int(self.experiment.simulation.particles**3)

    def convergence(
        self, position: Float64[Array, " dim"], adjoint: diffrax.AbstractAdjoint | None = None
    ) -> Float32[Array, "source y x"]:
        """Noise-free convergence map of a position.

        Parameters
        ----------
        position
            White noise of the initial field, and coordinates of the parameters.
        adjoint
            How the derivative passes through the time steps; by default in reverse mode, by checkpoints.
        """
        described, size = self.experiment, self.experiment.simulation.particles
        noise = position[: self.modes].astype(jnp.float32).reshape(size, size, size)
        theta = _theta(self.coordinates.named(position[self.modes :], described.fiducial), described)
        adjoint = adjoint or diffrax.RecursiveCheckpointAdjoint()
        view = pipeline.view_of(self.seed, 0, described)
        planes = pipeline.planes_from_noise(noise, theta.cosmology, described, self.correction, adjoint, view.axis)
        kappa = pipeline.seen(pipeline.lenses(planes, theta, described), view.along_first_axis(), described)
        return calibrated(kappa, theta.systematics.m)

    def log_likelihood(
        self, kappa: Float32[Array, "source y x"], observed: Float32[Array, "source y x"]
    ) -> Float64[Array, ""]:
        """Logarithm of the likelihood of a noise-free map, up to a constant.

        Parameters
        ----------
        kappa
            Noise-free convergence.
        observed
            Convergence with shape noise.

        Notes
        -----
        -1/2 sum ((kappa_observed - kappa) / rms)^2 over the pixels that are not masked: the shape noise of pixels is
        independent.
        """
        rms = jnp.broadcast_to(self.rms, kappa.shape)
        # the inner `where` keeps masked pixels finite in the derivative
        residual = jnp.where(rms > 0, (observed - kappa) / jnp.where(rms > 0, rms, 1), 0)
        return -0.5 * jnp.sum(residual.astype(jnp.float64) ** 2)

    def log_prior(self, position: Float64[Array, " dim"]) -> Float64[Array, ""]:
        """Logarithm of the prior density of a position, up to a constant.

        Parameters
        ----------
        position
            As for `convergence`.
        """
        noise, z = position[: self.modes], position[self.modes :]
        step = self.coordinates.parameters(z) - self.coordinates.centre
        return -0.5 * (noise @ noise + step @ self.priors @ step) + self.coordinates.log_jacobian(z)

    def log_density(
        self,
        position: Float64[Array, " dim"],
        observed: Float32[Array, "source y x"],
        share: Float[Array, ""] | float = 1.0,
    ) -> Float64[Array, ""]:
        """Logarithm of the posterior density of a position, up to a constant.

        Parameters
        ----------
        position
            As for `convergence`.
        observed
            Convergence with shape noise.
        share
            Power of the likelihood.
        """
        return share * self.log_likelihood(self.convergence(position), observed) + self.log_prior(position)


def mock_field(posterior: FieldPosterior, z: Float64[Array, " param"], seed: pipeline.Seed) -> MockField:
    """Map of a box with shape noise, from the forward model of a posterior.

    Parameters
    ----------
    posterior
        Its forward model, views and shape noise.
    z
        Coordinates of the parameters; 0 for the fiducial ones.
    seed
        Seed of the initial field and of the shape noise.
    """
    position = _mock_position(posterior, z, seed)
    kappa = posterior.convergence(position)
    observed = kappa + noise_maps(seed, 0, 0, kappa.shape, posterior.rms)
    return MockField(jnp.where(jnp.broadcast_to(posterior.rms, kappa.shape) > 0, observed, 0), position)


def mock_data(posterior: FieldPosterior, z: Float64[Array, " param"], seed: pipeline.Seed) -> Float64[Array, " bin"]:
    """Data vector of the map of `mock_field`; arguments as there."""
    kappa = posterior.convergence(_mock_position(posterior, z, seed))
    return summarise(kappa, seed, 0, posterior.experiment).measured


def forecast_of_map(forecast: FisherMatrix, experiment: Experiment) -> ParameterCovariance:
    """Gaussian posterior, with priors, if a survey is one map.

    Parameters
    ----------
    forecast
        Information of the survey, without priors.
    experiment
        Survey, map and priors.

    Raises
    ------
    ValueError
        If the posterior is singular (names the direction).
    """
    of_map = forecast.rescale(map_area_deg2(experiment) / experiment.survey.area_deg2)
    return of_map.with_priors(experiment.priors).inverse()


def map_area_deg2(experiment: Experiment) -> float:
    """Sky area of a map that is not masked [deg^2]."""
    lightcone = experiment.lightcone
    whole = Region(lightcone.pixels, lightcone.field_deg, border=0)
    return ShapeNoise.of_survey(experiment.survey, lightcone.pixel_arcmin).area_deg2(whole)


def _mock_position(
    posterior: FieldPosterior, z: Float64[Array, " param"], seed: pipeline.Seed
) -> Float64[Array, " dim"]:
    """White noise of a seed and coordinates of parameters."""
    noise = white_noise(box_key(seed, INITIAL_FIELD), posterior.experiment.simulation.particles)
    return jnp.concatenate([noise.ravel().astype(jnp.float64), z])


def _theta(values: Mapping[str, Float[Array, ""] | float], experiment: Experiment) -> Theta:
    """Parameters of the model from values by name, which may be traced."""
    cosmological = Parameters(**{name: jnp.asarray(values[name]) for name in COSMOLOGICAL})
    nuisance = {name: jnp.asarray(values[name]) for name in NUISANCE if name in values}
    for name in PER_SOURCE:
        nuisance[name] = jnp.stack([jnp.asarray(values[each]) for each in expanded(name, experiment.sources)])
    return Theta(cosmological, Systematics(**nuisance))
