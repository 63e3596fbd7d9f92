def reference_settings(wildcards):
    """What a reference depends on."""
    return TRAINING.reference(wildcards.reference).model_dump(mode="json")


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
