"""What a convergence map would know of the initial field if the model were linear in it: the Wiener filter."""

from collections.abc import Callable, Iterable

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Float64
from scipy.sparse.linalg import LinearOperator, cg

from lenscast.gravity import white_noise
from lenscast.inference.field_chain import Bands
from lenscast.inference.field_posterior import FieldPosterior
from lenscast.measurement import noise_maps
from lenscast.streams import INITIAL_FIELD, box_key

__all__ = ["FIELDS", "linear_limit"]

FIELDS = 8
"""Number of fields whose mean has a scatter of some per cent in bands of few modes."""


def linear_limit(posterior: FieldPosterior, seeds: Iterable[int], bands: Bands) -> Float64[np.ndarray, " band"]:
    """Share of the initial field that a map knows in the linear limit, by band.

    The model is linear about a homogeneous field, kappa = J w, and its parameters have their fiducial values. The mean
    of the posterior of white noise w given a map d of noise N is the Wiener filter J^T (J J^T + N)^-1 d, and the mean
    over maps of its cross power with w is 1 minus the variance of the posterior.

    Parameters
    ----------
    posterior
        Its forward model, views and shape noise.
    seeds
        Seeds of the fields and of the shape noise of the maps that the cross power is averaged over.
    bands
        Bands of wavenumber.
    """
    size = posterior.experiment.simulation.particles
    homogeneous, fiducial = jnp.zeros(posterior.modes), jnp.zeros(len(posterior.coordinates.names))

    def over_noise(kappa: Float32[Array, "source y x"]) -> Float32[Array, "source y x"]:
        rms = jnp.broadcast_to(posterior.rms, kappa.shape)
        return jnp.where(rms > 0, kappa / jnp.where(rms > 0, rms, 1), 0)

    def model(adjoint: diffrax.AbstractAdjoint | None) -> Callable[[Array], Array]:
        return lambda noise: over_noise(posterior.convergence(jnp.concatenate([noise, fiducial]), adjoint))

    # the homogeneous field is an argument: XLA would simulate a constant one while it compiles
    @jax.jit
    def response(noise: Float64[Array, " dim"], origin: Float64[Array, " dim"]) -> Float32[Array, "source y x"]:
        return jax.jvp(model(diffrax.ForwardMode()), (origin,), (noise,))[1]

    @jax.jit
    def transposed(data: Float32[Array, "source y x"], origin: Float64[Array, " dim"]) -> Float64[Array, " dim"]:
        return jax.vjp(model(None), origin)[1](data)[0]

    def filtered(noise: Float64[Array, " dim"], seed: int) -> Float64[Array, " dim"]:
        # conjugate gradients of SciPy call both programs: one program of all would hold each of them several times
        signal = response(noise, homogeneous)
        data = np.asarray(signal + over_noise(noise_maps(seed, 0, 0, signal.shape, posterior.rms)), np.float64)

        def maps(flat: Float64[np.ndarray, " _"]) -> Float32[Array, "source y x"]:
            return jnp.asarray(flat.reshape(signal.shape), jnp.float32)

        covariance = LinearOperator(
            (data.size, data.size),
            lambda flat: flat + np.ravel(response(transposed(maps(flat), homogeneous), homogeneous)),
            dtype=np.float64,
        )
        weights, _ = cg(covariance, data.ravel(), rtol=1e-4, maxiter=500)
        return transposed(maps(weights), homogeneous)

    shares = []
    for seed in seeds:
        noise = white_noise(box_key(seed, INITIAL_FIELD), size)
        found = filtered(noise.ravel().astype(jnp.float64), seed)
        shares.append(bands.cross_power(np.asarray(found).reshape(noise.shape), np.asarray(noise)))
    return np.mean(shares, axis=0)
