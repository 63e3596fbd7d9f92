def snapshot_files(reference):
    """Paths of the snapshots of a reference; none for one that the particle mesh makes."""
    return list(getattr(TRAINING.simulations[reference], "files", []))


def missing_snapshots(reference):
    """Snapshots that are not there: an input that snakemake misses."""
    return [path for path in snapshot_files(reference) if not Path(path).exists()]


@cache
def hashes_of_snapshots(reference):
    """Hashes of all files of the snapshots of a reference: what they hold counts, and neither their dates nor paths."""
    from lenscast.io.gadget import files_of  # h5py, which takes longer to load than the rest of this file

    try:
        return [content_hash(str(part)) for path in snapshot_files(reference) for part in files_of(Path(path))]
    except (OSError, ValueError):
        return snapshot_files(reference)  # what is wrong with them, the job says that reads them


def reference_settings(wildcards):
    """What a reference depends on."""
    settings = TRAINING.reference(wildcards.reference).model_dump(mode="json")
    if snapshot_files(wildcards.reference):
        settings["reference"]["files"] = hashes_of_snapshots(wildcards.reference)
    return settings


def training_settings(wildcards):
    """What trained weights depend on: not the simulations that they are only compared with."""
    settings = TRAINING.model_dump(mode="json")
    for name in TRAINING.references:
        if snapshot_files(name):
            settings["references"][name]["files"] = hashes_of_snapshots(name)
    return settings | {"validation": {}}


def reference_memory(wildcards):
    """Megabytes: fifteen fields on the finest mesh, and what compiling takes."""
    wanted = TRAINING.simulations[wildcards.reference]
    fine = wanted.particles * wanted.mesh_factor if wanted.kind == "particle_mesh" else 0
    return 3000 + round(15 * fine**3 * 4e-6)


def matter_memory(wildcards):
    """Megabytes: 60 bytes per point of the mesh of spectra, 500 per particle, and what compiling takes."""
    wanted = TRAINING.simulations[wildcards.reference]
    particles = wanted.particles if wanted.kind == "particle_mesh" else 256
    return 2000 + round((60 * 8 + 500) * particles**3 / 1e6)


def matter_title(name):
    """What a simulation is; its numbers come from its file."""
    return f"{name} ({ROLES[name]}): {{particles:.0f}}$^3$ in {{box_size:.4g}} Mpc/$h$, $\\Omega_m$ = {{Omega_m:.4g}}"
