CORRECTED = CONFIG.simulation.correction.kind != "none"
VARIANTS = ["plain", *CORRECTED * ["corrected"], "refined"]


wildcard_constraints:
    variant="|".join(VARIANTS),


def variant_settings(variant):
    """What the maps of a variant depend on: all have the phases of the finest, and planes up to the farthest source."""
    validation, simulation = SETTINGS["validation"], dict(SETTINGS["simulation"])
    particles = validation["refinement"] * simulation["particles"]
    if variant != "corrected":
        simulation["correction"] = {"kind": "none"}
    if variant == "refined":
        simulation |= {"particles": particles, "integrator": validation["integrator"]}
    thickness = CONFIG.simulation.box_size / CONFIG.lightcone.slabs_per_box
    return {
        "cosmology": SETTINGS["cosmology"],
        "simulation": simulation,
        "weights": weights_hash(simulation["correction"]),
        "lightcone": SETTINGS["lightcone"] | {"planes": CONFIG.validation.planes(CONFIG.cosmology, thickness)},
        "z_source": validation["z_source"],
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
        "n_sources": len(CONFIG.validation.z_source),
    }


use rule simulate as simulate_validation with:
    output:
        maps=f"{RESULTS}/validation/maps/{{variant}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/simulate_validation/{{variant}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_validation/{{variant}}/{{batch}}.tsv"
    resources:
        mem_mb=variant_memory,
        runtime=720,
    params:
        seeds=seeds_of,
        settings=lambda wildcards: variant_settings(wildcards.variant),
        code=MAP_CODE,


use rule measure as measure_validation with:
    input:
        maps=rules.simulate_validation.output.maps,
    output:
        summaries=f"{RESULTS}/validation/summaries/{{variant}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_validation/{{variant}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_validation/{{variant}}/{{batch}}.tsv"
    params:
        settings=validation_statistics(),
        draws=CONFIG.derivatives.noise_realisations,
        code=SUMMARY_CODE,


rule compare_lensing:
    input:
        unpack(
            lambda wildcards: {
                variant: batches(rules.measure_validation.output.summaries, "validation", variant=variant)
                for variant in VARIANTS
            }
        ),
    output:
        table=f"{RESULTS}/validation/lensing.csv",
    log:
        f"{RESULTS}/logs/compare_lensing.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_lensing.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=validation_statistics(),
        maps=variant_settings("plain"),
        theory=THEORY,
        code=sources("lensing_validation", "theory", "statistics/region_window", "forecast/boxes"),
    script:
        "../scripts/compare_lensing.py"


rule figure_lensing_validation:
    input:
        table=rules.compare_lensing.output.table,
    output:
        spectra=f"{RESULTS}/figures/validation_power_spectrum.png",
        peaks=f"{RESULTS}/figures/validation_peaks.png",
    log:
        figure_log("lensing_validation"),
    conda:
        "../../environment.yml"
    params:
        code=PLOT_CODE,
    script:
        "../scripts/figure_lensing_validation.py"


rule validate_lensing:
    input:
        rules.compare_lensing.output.table,
        rules.figure_lensing_validation.output,
    localrule: True


rule validate:
    input:
        rules.validate_lensing.input,
    localrule: True
