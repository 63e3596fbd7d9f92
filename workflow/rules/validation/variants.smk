VARIANTS = ["plain", *(EXPERIMENT.simulation.correction.kind != "none") * ["corrected"], "refined"]
PROJECTIONS = ["born", "ray_tracing"]
USED = [name for vector in EXPERIMENT.forecast.data_vectors.values() for name in vector]
COMPARED = [name for name in STATISTICS if name in USED]
"""Statistics of the data vectors: what is compared between variants."""


wildcard_constraints:
    variant="|".join(VARIANTS + PROJECTIONS),


@cache
def variant_settings(variant):
    """What the maps of a variant depend on."""
    described = EXPERIMENT.variant(variant)
    return settings_of_maps(described, described.fiducial)


def variant_memory(wildcards):
    """Megabytes: 200 bytes per particle of the finest simulation, or of the noise behind all of them, and the planes."""
    particles = EXPERIMENT.variant(wildcards.variant).simulation.noise_size**3
    refined = wildcards.variant == "refined"
    return simulation_memory(tangents=0) + round(
        (200 * EXPERIMENT.simulation.mesh_factor if refined else 20) * particles / 1e6
    )


def validation_statistics():
    """What is measured on the maps of the validation."""
    described = EXPERIMENT.variant("plain")
    return settings_of_statistics(described, described.fiducial, COMPARED)
