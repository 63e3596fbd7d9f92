"""Trainings from the settings that rules pass to their scripts: references, what is trained, checkpoints and cards."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lenscast import io
from lenscast.corrections import HPN, Correction, ForceCorrection, PublishedHPN
from lenscast.corrections.network import nonlinearity
from lenscast.corrections.particle_power import cross_power, mean_over_ln_k
from lenscast.corrections.reference import Reference, finer, snapshots
from lenscast.corrections.training import State
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import FixedSteps, Integrator, ParticleMesh, Particles, linear_field, lpt
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.box import StartSection
from lenscast.sections.training import HPNNetwork, ReferenceDescription, Training
from lenscast.streams import INITIAL_FIELD, box_key


def particle_mesh(description: ReferenceDescription) -> Reference:
    """A reference from the particle mesh itself, on a finer mesh."""
    method, wanted = description.simulation, description.reference
    values = description.cosmology.model_dump() | {"Omega_c": wanted.Omega_m - description.cosmology.Omega_b}
    cosmos = jax.jit(cosmology)(Parameters.of(values))
    mesh = _mesh(method, wanted.box_size, wanted.particles)
    field = linear_field(box_key(wanted.seed, INITIAL_FIELD), cosmos.power, mesh)
    a = jnp.array([method.a_start, *description.a])
    start = lpt(field, float(a[0]), cosmos, mesh, method.lpt_order)
    integrator = FixedSteps(kind="bullfrog", steps=wanted.steps)
    return finer(start, a, cosmos, mesh, wanted.mesh_factor, integrator, wanted.sharpening)


def from_snapshots(description: ReferenceDescription) -> Reference:
    """A reference from snapshots; the config gives what they do not tell of their cosmology."""
    wanted = description.reference
    first, *later = (io.read_snapshot(path, order=wanted.order, subsample=wanted.subsample) for path in wanted.files)
    told = {name: getattr(first, name) for name in ("h", "Omega_b", "sigma8", "n_s")}
    values = description.cosmology.model_dump() | {name: value for name, value in told.items() if value is not None}
    values["Omega_c"] = first.Omega_m - values["Omega_b"]
    mesh = _mesh(description.simulation, first.box_size, first.particles_per_side)
    return Reference(
        start=first.particles,
        position=jnp.stack([each.particles.position(mesh) for each in later]),
        a=jnp.array([each.a for each in (first, *later)]),
        cosmology=jax.jit(cosmology)(Parameters.of(values)),
        mesh=mesh,
    )


def _mesh(method: StartSection, box_size: float, particles: int) -> ParticleMesh:
    """Mesh of the simulation that is trained, in a box."""
    return ParticleMesh(
        box_size=box_size, particles=particles, mesh_factor=method.mesh_factor, gradient=method.gradient
    )


def load_reference(path: str | Path, weight: float = 1.0) -> Reference:
    """A simulation to be reproduced, from the file of `save_reference`, and its weight in a training."""
    contents = io.load(path)
    arrays = {name: jnp.asarray(variable.values) for name, variable in contents.variables.items()}
    row = contents.coordinates["simulation"].iloc[0]
    return Reference(
        start=Particles(arrays["displacement"], arrays["momentum"]),
        position=arrays["position"],
        a=arrays["a"],
        cosmology=jax.jit(cosmology)(Parameters.of({name: row[name] for name in COSMOLOGICAL})),
        mesh=ParticleMesh(
            box_size=float(row["box_size"]),
            particles=int(row["particles"]),
            mesh_factor=int(row["mesh_factor"]),
            gradient=row["gradient"],
        ),
        weight=weight,
    )


def save_reference(path: str, name: str, reference: Reference, provenance: Mapping[str, str]) -> None:
    """Write the file that `load_reference` reads."""
    axes, mesh, parameters = ("component", "particle"), reference.mesh, reference.cosmology.parameters
    variables = {
        "displacement": io.Variable(reference.start.displacement, axes, "Mpc/h", "of the start, from the lattice"),
        "momentum": io.Variable(reference.start.momentum, axes, "H0 Mpc/h", "of the start, a^2 dx/dt"),
        "position": io.Variable(reference.position, ("snapshot", *axes), "Mpc/h", "at a[1:], not wrapped"),
        "a": io.Variable(reference.a, ("time",), "1", "scale factors of the start and of the snapshots"),
    }
    row = {"name": name, **{key: getattr(mesh, key) for key in ("box_size", "particles", "mesh_factor", "gradient")}}
    row |= {key: float(getattr(parameters, key)) for key in COSMOLOGICAL}
    io.save(path, variables, {"simulation": {key: [value] for key, value in row.items()}}, provenance)


def network(training: Training) -> ForceCorrection:
    """An untrained correction."""
    key = jax.random.key(training.seed)
    if isinstance(training.network, HPNNetwork):
        return HPN.initial(key, training.network.ln_sigma_range, training.network.width)
    return PublishedHPN.initial(key)


def fingerprint(settings: Mapping[str, Any], code: str, files: Sequence[str]) -> str:
    """Hash of all that the end of a training depends on."""
    digest = hashlib.sha256(json.dumps([settings, code], sort_keys=True).encode())
    for path in files:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def keep(path: Path, state: State, identity: str) -> None:
    """Write a checkpoint, whole or not at all; `identity` says of which training."""
    leaves = {f"leaf_{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    variables = {
        name: io.Variable(leaf, tuple(f"{name}_{axis}" for axis in range(leaf.ndim)), "1", "state of a training")
        for name, leaf in leaves.items()
    }
    io.save(path, variables, {}, {"identity": identity})


def resumed(path: Path, fresh: State, identity: str) -> State:
    """The state that was kept of this very training, else the fresh one."""
    if not path.exists() or (kept := io.load(path)).provenance["identity"] != identity:
        return fresh
    leaves = [kept.variables[f"leaf_{number}"].values for number in range(len(kept.variables))]
    return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def card(
    correction: Correction, references: Mapping[str, Reference], training: Training, minimised: Any
) -> dict[str, Any]:
    """Card of a correction that was trained on the references."""
    settings, each = training.model_dump(mode="json"), list(references.values())
    method = settings["simulation"]
    cells = [reference.mesh.cell_size for reference in each]
    a = np.concatenate([reference.a for reference in each])
    ln_sigma = [nonlinearity(r.cosmology, r.mesh)(jnp.log(r.a.astype(jnp.float32))) for r in each]
    return {
        "data": {key: settings[key] for key in ("references", "cosmology", "a")},
        "loss": minimised,
        "box_sizes": sorted({reference.mesh.box_size for reference in each}),
        "cell_min": min(cells),
        "cell_max": max(cells),
        "ln_sigma_range": [round(float(edge(np.concatenate(ln_sigma))), 3) for edge in (np.min, np.max)],
        "redshift_range": [round(float(1 / edge - 1), 3) for edge in (a.max(), a.min())],
        "mesh_factor": method["mesh_factor"],
        "gradient": method["gradient"],
        "integrator": method["integrator"],
        "steps": training.all_steps,
        "accuracy": _accuracy(correction, references, training.simulation.integrator),
        "not_tested_on": "all but the data: other realisations, cells, cosmologies, redshifts; `snakemake validate`",
    }


def _accuracy(correction: Correction, references: Mapping[str, Reference], integrator: Integrator) -> dict[str, Any]:
    """Over snapshots and ln k to Nyquist, without and with the correction."""

    @jax.jit
    def measured(correction: Correction | None, reference: Reference) -> dict[str, jax.Array]:
        mesh, simulated = reference.mesh, snapshots(reference, integrator, correction)

        def of_snapshot(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            spectra = cross_power(*pair, mesh.box_size, 2 * mesh.particles)
            terms = (spectra.power / spectra.reference - 1) ** 2, 1 - spectra.correlation
            return mean_over_ln_k(terms[0], mesh.particles), mean_over_ln_k(terms[1], mesh.particles)

        squared, decorrelation = jax.lax.map(of_snapshot, (simulated, reference.position))
        return {"rms of P / P_ref - 1": jnp.sqrt(jnp.mean(squared)), "mean of 1 - r": jnp.mean(decorrelation)}

    kinds = {"without": None, "with": correction}
    found = {name: {kind: measured(each, r) for kind, each in kinds.items()} for name, r in references.items()}
    return jax.tree.map(lambda value: float(f"{value:.3g}"), found)
