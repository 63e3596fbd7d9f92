"""PM++ (pmpp): the steps and forces of pmwd in one scan, made for several GPUs."""

import jax
import jax.numpy as jnp
import numpy as np
from pmpp.cic import scatter
from pmpp.core import Configuration
from pmpp.cosmology import Cosmology, boltzmann, growth
from pmpp.initial_conditions import lpt
from pmpp.nbody import nbody
from workload import COSMOLOGY, Program, Workload

jax.config.update("jax_enable_x64", True)  # for its cosmology; meshes and particles are float32


def simulate(work: Workload) -> Program:
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
    cosmology = boltzmann(cosmology, config)
    # its growth is normalised early, its modes carry a volume
    factor = config.ptcl_cell_vol / growth(1.0, cosmology, config)
    modes = (jnp.fft.rfftn(np.load(work.field)) * factor).astype(jnp.complex64)

    @jax.jit
    def run(modes, cosmology):
        return scatter(nbody(lpt(modes, cosmology, config), cosmology, config), config)

    return Program(lambda: run(modes, cosmology), forces=work.steps + 1)


PROGRAMS = {"N-body": simulate}
