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
from lenscast.config.simulation import PARAMETERS
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import (
    HPN,
    Correction,
    FixedSteps,
    Integrator,
    ParticleMesh,
    PublishedHPN,
    comparison,
    integrator_of,
)
from lenscast.gravity.correction import ForceCorrection, nonlinearity
from lenscast.gravity.matter_power import cross_power, mean_over_ln_k
from lenscast.gravity.reference import Reference, finer
from lenscast.gravity.training import Loss, State, Training
from lenscast.simulate import INITIAL_FIELD


def particle_mesh(settings: Mapping[str, Any]) -> Reference:
    """A reference of our own, on a finer mesh."""
    method, wanted = settings["simulation"], settings["reference"]
    parameters = {**settings["cosmology"], "Omega_c": wanted["Omega_m"] - settings["cosmology"]["Omega_b"]}
    return finer(
        jax.random.fold_in(jax.random.key(wanted["seed"]), INITIAL_FIELD),
        jnp.array([method["a_start"], *settings["a"]]),
        jax.jit(cosmology)(Parameters.from_config(parameters)),
        ParticleMesh(wanted["box_size"], wanted["particles"], method["mesh_factor"], method["gradient"]),
        method["lpt_order"],
        wanted["mesh_factor"],
        FixedSteps("bullfrog", wanted["steps"]),
    )


def snapshots(settings: Mapping[str, Any]) -> Reference:
    """A reference from snapshots; what they do not tell of their cosmology is that of the config."""
    method, wanted = settings["simulation"], settings["reference"]
    first, *later = (
        io.read_snapshot(path, order=wanted["order"], subsample=wanted["subsample"]) for path in wanted["files"]
    )
    told = {name: getattr(first, name) for name in ("h", "Omega_b", "sigma8", "n_s")}
    parameters = settings["cosmology"] | {name: value for name, value in told.items() if value is not None}
    parameters["Omega_c"] = first.Omega_m - parameters["Omega_b"]
    mesh = ParticleMesh(first.box_size, first.particles_per_side, method["mesh_factor"], method["gradient"])
    return Reference(
        start=first.particles,
        position=jnp.stack([each.particles.position(mesh) for each in later]),
        a=jnp.array([each.a for each in (first, *later)]),
        cosmology=jax.jit(cosmology)(Parameters.from_config(parameters)),
        mesh=mesh,
    )


def save_reference(path: str, name: str, reference: Reference, provenance: Mapping[str, str]) -> None:
    """Write what `_build.reference` reads."""
    axes, mesh, parameters = ("component", "particle"), reference.mesh, reference.cosmology.parameters
    variables = {
        "displacement": io.Variable(reference.start.displacement, axes, "Mpc/h", "of the start, from the lattice"),
        "momentum": io.Variable(reference.start.momentum, axes, "H0 Mpc/h", "of the start, a^2 dx/dt"),
        "position": io.Variable(reference.position, ("snapshot", *axes), "Mpc/h", "at a[1:], not wrapped"),
        "a": io.Variable(reference.a, ("time",), "1", "scale factors of the start and of the snapshots"),
    }
    row = {"name": name, **{key: getattr(mesh, key) for key in ("box_size", "particles", "mesh_factor", "gradient")}}
    row |= {key: float(getattr(parameters, key)) for key in PARAMETERS}
    io.save(path, variables, {"simulation": {key: [value] for key, value in row.items()}}, provenance)


def how(settings: Mapping[str, Any]) -> Training:
    """How to train."""
    method = integrator_of(**settings["simulation"]["integrator"])
    rest = (settings[key] for key in ("epochs", "learning_rate", "seed"))
    return Training(method, Loss(**settings["loss"]), *rest)


def network(settings: Mapping[str, Any]) -> ForceCorrection:
    """What is trained, as it begins."""
    section, key = settings["network"], jax.random.key(settings["seed"])
    if section["kind"] == "published":
        return PublishedHPN.initial(key)
    return HPN.initial(key, tuple(section["ln_sigma_range"]), section["width"])


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
    correction: Correction, references: Mapping[str, Reference], settings: Mapping[str, Any], minimised: Any
) -> dict[str, Any]:
    """Card of a correction that was trained on the references."""
    each, method = list(references.values()), settings["simulation"]
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
        "accuracy": _accuracy(correction, references, integrator_of(**method["integrator"])),
        "not_tested_on": "all but the data: other realisations, cells, cosmologies, redshifts; `snakemake validate`",
    }


def _accuracy(correction: Correction, references: Mapping[str, Reference], method: Integrator) -> dict[str, Any]:
    """Over snapshots and ln k to Nyquist, without and with the correction."""

    @jax.jit
    def measured(correction: Correction | None, reference: Reference) -> dict[str, jax.Array]:
        mesh, simulated = reference.mesh, comparison.snapshots(reference, method, correction)

        def of_snapshot(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            spectra = cross_power(*pair, mesh.box_size, 2 * mesh.particles)
            terms = (spectra.power / spectra.reference - 1) ** 2, 1 - spectra.correlation
            return mean_over_ln_k(terms[0], mesh.particles), mean_over_ln_k(terms[1], mesh.particles)

        squared, decorrelation = jax.lax.map(of_snapshot, (simulated, reference.position))
        return {"rms of P / P_ref - 1": jnp.sqrt(jnp.mean(squared)), "mean of 1 - r": jnp.mean(decorrelation)}

    kinds = {"without": None, "with": correction}
    found = {name: {kind: measured(each, r) for kind, each in kinds.items()} for name, r in references.items()}
    return jax.tree.map(lambda value: float(f"{value:.3g}"), found)
