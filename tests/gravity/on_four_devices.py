"""Boxes on one, two and four devices, for `test_domain`: JAX sets the number of its CPU devices when it starts.

python on_four_devices.py results.npz
"""

import sys
from functools import partial
from pathlib import Path

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from lenscast.corrections import corrected
from lenscast.cosmology import Parameters, basis, cosmology
from lenscast.experiment import read
from lenscast.gravity import FixedSteps, Method, ParticleMesh, acceleration, domain, linear_field, lpt
from lenscast.halo import beyond_halo
from lenscast.io.corrections import load_correction
from lenscast.lensing import density_planes
from lenscast.sections.distribution import Distribution
from lenscast.sections.lightcone import Lightcone
from lenscast.streams import INITIAL_FIELD, box_key

DOMAINS = {
    "single": domain(Distribution()),
    "two slabs": domain(Distribution(devices=2)),
    "four slabs": domain(Distribution(devices=4)),
    "pencils": domain(Distribution(devices=4, layout="pencils")),
}
# four slabs of four cells: particles cross their borders, and the halo of five cells reaches beyond the neighbour
BOX, A_START = 160.0, 0.2
LIGHTCONE = Lightcone(
    box_size=BOX, slabs_per_box=2, planes=1, plane_mesh=24, field_deg=1.0, pixels=16, realisations_per_box=1,
    projection="born",
)  # fmt: skip
MESH = ParticleMesh(box_size=BOX, particles=16)
# what MESH leaves out
OTHER = ParticleMesh(box_size=BOX, particles=16, mesh_factor=2, gradient="finite_difference")
CORRECTIONS = [load_correction(name).correction for name in ("hpn", "pgd")]
STEPS = FixedSteps(kind="bullfrog", steps=3)
PARAMETERS = Parameters(Omega_c=0.2589, Omega_b=0.0486, h=0.6774, n_s=0.9667, sigma8=0.8159, w0=-0.9, wa=0.2)
KEY = jax.random.key(1)
WEIGHTS = jax.random.normal(jax.random.key(2), (1, 3, 2, 24, 24), jnp.float32)


def planes(where, cosmos, extra):
    """Lens planes of a box with both corrections, whose linear field has something added to it."""
    field = linear_field(KEY, cosmos.power, MESH, 32, where) + extra
    start = lpt(field, A_START, cosmos, MESH, 2, where)
    hpn, pgd = (corrected(each, MESH, STEPS, cosmos, where) for each in CORRECTIONS)
    method = Method(MESH, STEPS, hpn.gain, pgd.displacement, where)
    return partial(density_planes, start, A_START, cosmos, method, LIGHTCONE)


def forward(where, cosmos, cosmos_dots, extra_dots):
    """Planes and their tangents."""
    still = jnp.zeros_like(extra_dots[0])

    def along(*dots):
        return jax.jvp(lambda *x: planes(where, *x)(), (cosmos, still), dots)

    return jax.vmap(along, out_axes=(None, 0))(cosmos_dots, extra_dots)


def reverse(where, cosmos, extra):
    """Gradients of a weighted sum of planes."""

    def total(*x):
        return jnp.vdot(WEIGHTS, planes(where, *x)(diffrax.RecursiveCheckpointAdjoint()))

    return jax.grad(total, argnums=(0, 1))(cosmos, extra)


def moved_on_one_device(seed, parameters, simulation):
    """Largest displacement along x or y today in second-order perturbation theory."""
    cosmos = cosmology(parameters)
    field = linear_field(box_key(seed, INITIAL_FIELD), cosmos.power, simulation)
    return jnp.abs(lpt(field, 1.0, cosmos, simulation).displacement[:2]).max()


def compiled(function, *arguments):
    """Results of a function and the text of its program."""
    program = jax.jit(function).lower(*arguments).compile()
    return program(*arguments), program.as_text()


def main(path):
    noise = jax.random.normal(jax.random.key(3), (16, 16, 16), jnp.float32)
    cosmos, cosmos_dots = jax.jit(
        lambda p: jax.vmap(lambda dot: jax.jvp(cosmology, (p,), (dot,)), out_axes=(None, 0))(
            basis(p, ("Omega_c", "w0"))
        )
    )(PARAMETERS)
    # the third tangent is of the field alone
    dots = jax.tree.map(lambda x: jnp.append(x, x[:1] * 0, axis=0), cosmos_dots)
    extra_dots = jnp.zeros((3, *noise.shape), jnp.float32).at[2].set(noise)
    results = {}
    for name, where in DOMAINS.items():
        results[f"{name} noise"] = jax.jit(lambda where=where: where.noise(KEY, 8))()
        if name == "two slabs":
            made, text = compiled(lambda *x, where=where: planes(where, *x)(), cosmos, 0 * noise)
        else:
            (made, tangents), text = compiled(lambda *x, where=where: forward(where, *x), cosmos, dots, extra_dots)
            results[f"{name} tangents"] = tangents
        results |= {f"{name} planes": made, f"{name} program": text}
    gradients = jax.jit(lambda *x: reverse(DOMAINS["pencils"], *x))(cosmos, 0 * noise)
    pairs = zip(jax.tree.leaves(gradients), jax.tree.leaves((dots, extra_dots)), strict=True)
    results["pencils gradient"] = sum(np.tensordot(dot, gradient, gradient.ndim) for gradient, dot in pairs)
    results["weights"] = WEIGHTS
    moves = jax.random.uniform(jax.random.key(4), (3, 16**3), jnp.float32, -39, 39)
    for name, where in DOMAINS.items():
        for kind, mesh in (("spectral", MESH), ("finite_difference", OTHER)):

            def force(moves, where=where, mesh=mesh):
                return acceleration(where.lattice(mesh) + moves, mesh, None, where)

            in_order = np.asarray(where.lattice(mesh)).T / (BOX / 16) @ [256, 16, 1]
            found, text = compiled(force, moves[:, in_order.astype(int)])
            back = np.argsort(in_order)
            results |= {f"{name} {kind} force": np.asarray(found)[:, back], f"{name} {kind} program": text}
    # the first particle is at the lower border of the first slab, and the halo has the cells to -50 Mpc/h
    slabs = DOMAINS["four slabs"]
    at = jax.jit(lambda x: acceleration(slabs.lattice(MESH) + moves.at[0, 0].set(x), MESH, None, slabs))
    results |= {"inside the halo": at(-40.0), "beyond the halo": at(-50.1)}
    box = read(Path(__file__).parents[1] / "workflow/config.yaml")
    narrow = box.model_copy(update={"distribution": Distribution(devices=2, halo_mpc=4.0)})
    results["beyond the halo of a box"] = beyond_halo(3, PARAMETERS, narrow)
    results["moved"] = jax.jit(lambda p: moved_on_one_device(3, p, box.simulation))(PARAMETERS)
    np.savez(path, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
