"""What is written on the card of a trained correction: what it was trained on, and how near it came."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lenscast.corrections.method import Correction
from lenscast.corrections.network import nonlinearity
from lenscast.corrections.particle_power import cross_power, mean_over_ln_k
from lenscast.corrections.reference import Reference, snapshots
from lenscast.sections.box import Integrator
from lenscast.sections.training import Training


def card(
    correction: Correction, references: Mapping[str, Reference], training: Training, minimised: Any
) -> dict[str, Any]:
    """Card of a correction that was trained on the references; `lenscast.sections.correction_file.Card` explains it.

    Parameters
    ----------
    correction
        What was trained.
    references
        What it was trained on, by name.
    training
        How it was trained.
    minimised
        Loss, in words or by its settings.
    """
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
