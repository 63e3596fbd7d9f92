"""PM++ (pmpp): the steps and forces of pmwd in one scan, written for several GPUs."""

import jax
import jax.numpy as jnp
import numpy as np
from pmpp.cic import scatter
from pmpp.core import Configuration
from pmpp.cosmology import Cosmology, boltzmann, growth
from pmpp.initial_conditions import lpt
from pmpp.nbody import nbody
from workload import COSMOLOGY, Program, Workload, mean_square

jax.config.update("jax_enable_x64", True)  # for its cosmology; meshes and particles are float32


def _prepare(work: Workload):
    """Configuration, and cosmology with its tables of transfer function and growth."""
    config = Configuration(
        work.spacing,
        (work.particles,) * 3,
        a_start=work.a_start,
        a_nbody_maxstep=(1 - work.a_start) / (work.steps - 0.5),
        pallas_cic=False,  # for GPUs
    )
    assert config.a_nbody_num == work.steps
    assert tuple(config.mesh_shape) == tuple(config.ptcl_grid_shape)
    Omega_m = COSMOLOGY["Omega_c"] + COSMOLOGY["Omega_b"]
    cosmology = Cosmology(config, 2.0, COSMOLOGY["n_s"], Omega_m, COSMOLOGY["Omega_b"], COSMOLOGY["h"])
    return config, boltzmann(cosmology, config)


def simulate(work: Workload) -> Program:
    config, cosmology = _prepare(work)
    # its growth is normalised in the early universe, not today, and its modes contain the volume of a cell
    factor = config.ptcl_cell_vol / growth(1.0, cosmology, config)
    modes = (jnp.fft.rfftn(np.load(work.field)["arr_0"]) * factor).astype(jnp.complex64)

    @jax.jit
    def run(modes, cosmology):
        return scatter(nbody(lpt(modes, cosmology, config), cosmology, config), config)

    return Program(lambda: run(modes, cosmology), forces=work.steps + 1)


def field_gradient(work: Workload) -> Program:
    """Gradient of the mean squared density today with respect to the linear field."""
    config, cosmology = _prepare(work)
    factor = config.ptcl_cell_vol / growth(1.0, cosmology, config)

    @jax.jit
    def run(field, cosmology):
        def value(field):
            modes = (jnp.fft.rfftn(field) * factor).astype(jnp.complex64)
            return mean_square(scatter(nbody(lpt(modes, cosmology, config), cosmology, config), config))

        return jax.grad(value)(field)

    field = jnp.asarray(np.load(work.field)["arr_0"])
    return Program(lambda: run(field, cosmology), forces=work.steps + 1)


PROGRAMS = {"N-body": simulate, "field gradient": field_gradient}
