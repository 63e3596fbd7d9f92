"""Files of the simulations that corrections are trained on."""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp

from lenscast.corrections.reference import Reference, particle_mesh_reference
from lenscast.cosmology import Parameters, cosmology
from lenscast.gravity import ParticleMesh, Particles
from lenscast.io.reading import load
from lenscast.io.snapshots import read_snapshot
from lenscast.io.variables import Variable
from lenscast.io.writing import save
from lenscast.parameters import COSMOLOGICAL
from lenscast.sections.training import ParticleMeshReference, ReferenceDescription

_OF_MESH = ("box_size", "particles", "mesh_factor", "gradient")


def make_reference(description: ReferenceDescription) -> Reference:
    """The reference that a config describes: simulated, or from snapshots of an N-body code.

    Parameters
    ----------
    description
        Cosmology, snapshots, start, and the section of the reference. Of snapshots, it gives what they do not tell of
        their cosmology.

    Raises
    ------
    ValueError
        As `read_snapshot`.
    """
    wanted = description.reference
    if isinstance(wanted, ParticleMeshReference):
        return particle_mesh_reference(description, wanted)
    first, *later = (read_snapshot(path, order=wanted.order, subsample=wanted.subsample) for path in wanted.files)
    told = {name: getattr(first, name, None) for name in COSMOLOGICAL}
    values = description.cosmology.model_dump() | {name: value for name, value in told.items() if value is not None}
    values["Omega_c"] = first.Omega_m - values["Omega_b"]
    mesh = description.simulation.mesh(first.box_size, first.particles_per_side)
    return Reference(
        start=first.particles,
        position=jnp.stack([each.particles.position(mesh) for each in later]),
        a=jnp.array([each.a for each in (first, *later)]),
        cosmology=cosmology(Parameters.of(values)),
        mesh=mesh,
    )


def load_reference(path: str | Path, weight: float = 1.0) -> Reference:
    """A reference from a file of `save_reference`.

    Parameters
    ----------
    path
        File.
    weight
        Weight of its loss in a training.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    contents = load(path)
    arrays = {name: jnp.asarray(variable.values) for name, variable in contents.variables.items()}
    row = contents.coordinates["simulation"].iloc[0]
    return Reference(
        start=Particles(arrays["displacement"], arrays["momentum"]),
        position=arrays["position"],
        a=arrays["a"],
        cosmology=cosmology(Parameters.of({name: row[name] for name in COSMOLOGICAL})),
        mesh=ParticleMesh(
            box_size=float(row["box_size"]),
            particles=int(row["particles"]),
            mesh_factor=int(row["mesh_factor"]),
            gradient=row["gradient"],
        ),
        weight=weight,
    )


def save_reference(path: str | Path, name: str, reference: Reference, provenance: Mapping[str, str]) -> None:
    """Write a reference.

    Parameters
    ----------
    path
        File to make.
    name
        Name of the reference.
    reference
        Simulation.
    provenance
        Provenance of the file.
    """
    axes, mesh, parameters = ("component", "particle"), reference.mesh, reference.cosmology.parameters
    variables = {
        "displacement": Variable(reference.start.displacement, axes, "Mpc/h", "of the start, from the lattice"),
        "momentum": Variable(reference.start.momentum, axes, "H0 Mpc/h", "of the start, a^2 dx/dt"),
        "position": Variable(reference.position, ("snapshot", *axes), "Mpc/h", "at a[1:], not wrapped"),
        "a": Variable(reference.a, ("time",), "1", "scale factors of the start and of the snapshots"),
    }
    row = {"name": name, **{key: getattr(mesh, key) for key in _OF_MESH}}
    row |= {key: float(getattr(parameters, key)) for key in COSMOLOGICAL}
    save(path, variables, {"simulation": {key: [value] for key, value in row.items()}}, provenance)
