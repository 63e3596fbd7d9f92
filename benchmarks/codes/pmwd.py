"""pmwd (Li et al. 2022, arXiv:2211.09958): FastPM-like steps, uniform in a, spectral gradient."""

import jax
import jax.numpy as jnp
import numpy as np
from pmwd import Configuration, Cosmology, boltzmann, growth, lpt, nbody, scatter
from workload import COSMOLOGY, Program, Workload, mean_square


def _prepare(work: Workload):
    """Configuration, cosmology with its tables, and the modes that `lpt` starts from."""
    config = Configuration(
        work.spacing,
        (work.particles,) * 3,
        a_start=work.a_start,
        a_nbody_maxstep=(1 - work.a_start) / (work.steps - 0.5),
    )
    assert config.a_nbody_num == work.steps
    assert config.mesh_shape == config.ptcl_grid_shape
    Omega_m = COSMOLOGY["Omega_c"] + COSMOLOGY["Omega_b"]
    cosmology = Cosmology(config, 2.0, COSMOLOGY["n_s"], Omega_m, COSMOLOGY["Omega_b"], COSMOLOGY["h"])
    cosmology = boltzmann(cosmology, config)
    # its growth is normalised in the early universe, not today, and its modes contain the volume of a cell
    factor = config.ptcl_cell_vol / growth(1.0, cosmology, config)
    modes = (jnp.fft.rfftn(np.load(work.field)["arr_0"]) * factor).astype(jnp.complex64)
    return config, cosmology, modes


def as_documented(work: Workload) -> Program:
    """The simulation of its quick start: one compiled function for LPT and one for a step."""
    config, cosmology, modes = _prepare(work)
    paint = jax.jit(scatter)

    def run():
        particles, observables = lpt(modes, cosmology, config)
        particles, _ = nbody(particles, observables, cosmology, config)
        return paint(particles, config)

    return Program(run, forces=work.steps + 1)


def one_program(work: Workload) -> Program:
    """The whole simulation compiled as one program."""
    config, cosmology, modes = _prepare(work)

    @jax.jit
    def simulate(modes, cosmology):
        particles, observables = lpt(modes, cosmology, config)
        particles, _ = nbody(particles, observables, cosmology, config)
        return scatter(particles, config)

    return Program(lambda: simulate(modes, cosmology), forces=work.steps + 1)


def field_gradient(work: Workload) -> Program:
    """Gradient of the mean squared density today with respect to the linear field, by its own adjoint."""
    config, cosmology, _ = _prepare(work)
    factor = config.ptcl_cell_vol / growth(1.0, cosmology, config)

    @jax.jit
    def run(field, cosmology):
        def value(field):
            modes = (jnp.fft.rfftn(field) * factor).astype(jnp.complex64)
            particles, observables = lpt(modes, cosmology, config)
            particles, _ = nbody(particles, observables, cosmology, config)
            return mean_square(scatter(particles, config))

        return jax.grad(value)(field)

    field = jnp.asarray(np.load(work.field)["arr_0"])
    return Program(lambda: run(field, cosmology), forces=work.steps + 1)


PROGRAMS = {
    "N-body": as_documented,
    "N-body, one program": one_program,
    "field gradient": field_gradient,
}
