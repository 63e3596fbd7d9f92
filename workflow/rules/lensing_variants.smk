CORRECTED = CORRECTION["kind"] != "none"
VARIANTS = ["plain", *CORRECTED * ["corrected"], "refined"]
PROJECTIONS = ["born", "ray_tracing"]


wildcard_constraints:
    variant="|".join(VARIANTS + PROJECTIONS),


def variant_settings(variant):
    """What the maps of a variant depend on: all have the phases of the finest, and planes up to the farthest source."""
    validation, simulation = SETTINGS["validation"], dict(SETTINGS["simulation"])
    particles = validation["refinement"] * simulation["particles"]
    if variant in ("plain", "refined"):
        simulation["correction"] = {"kind": "none"}
    if variant == "refined":
        simulation |= {"particles": particles, "integrator": validation["integrator"]}
    thickness = CONFIG.simulation.box_size / CONFIG.lightcone.slabs_per_box
    lightcone = SETTINGS["lightcone"] | {"planes": CONFIG.validation.planes(CONFIG.cosmology, thickness)}
    if variant in PROJECTIONS:
        lightcone |= {"projection": variant}
    return {
        "cosmology": SETTINGS["cosmology"],
        "simulation": simulation,
        "weights": weights_hash(simulation["correction"]),
        "lightcone": lightcone,
        "sources": {"kind": "planes", "z": validation["z_source"]},
        "systematics": {},
        "alignment": simulation_settings("fiducial")["alignment"],
        "noise_size": particles,
    }


def variant_memory(wildcards):
    """Megabytes: 200 bytes per particle of the finest simulation, or of the noise behind all of them, and the planes."""
    particles = variant_settings(wildcards.variant)["noise_size"] ** 3
    refined = wildcards.variant == "refined"
    return simulation_memory(tangents=0) + round(
        (200 * CONFIG.simulation.mesh_factor if refined else 20) * particles / 1e6
    )


def validation_statistics():
    """What is measured on the maps of the validation."""
    return statistics_settings() | {
        "statistics": {name: SETTINGS["statistics"][name] for name in ("power_spectrum", "peaks")},
        "n_gal": len(CONFIG.validation.z_source) * [max(CONFIG.survey.n_gal)],
        "m": len(CONFIG.validation.z_source) * [0.0],
    }
