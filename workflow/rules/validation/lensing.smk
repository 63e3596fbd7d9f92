include: "variants.smk"


use rule simulate as simulate_validation with:
    input:
        weights=lambda wildcards: weights_made_here(EXPERIMENT.variant(wildcards.variant).simulation.correction),
    output:
        maps=f"{RESULTS}/validation/maps/{{variant}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/simulate_validation/{{variant}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_validation/{{variant}}/{{batch}}.tsv"
    resources:
        mem_mb=growing(variant_memory),
        runtime=growing(720),
    params:
        seeds=seeds_of,
        settings=lambda wildcards: variant_settings(wildcards.variant),
        code=code("simulate"),


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
        maps=lambda wildcards: variant_settings(wildcards.variant),
        settings=validation_statistics(),
        statistics=COMPARED,
        draws=EXPERIMENT.finite_differences.noise_realisations,
        code=[code("simulate"), code("measure", *statistics_code(COMPARED))],


rule compare_lensing:
    input:
        unpack(
            lambda wildcards: {
                variant: batches(rules.measure_validation.output.summaries, "validation", variant=variant)
                for variant in VARIANTS
            }
        ),
    output:
        table=reported_table(f"{RESULTS}/validation/lensing.csv", "lensing", "Checks"),
    log:
        f"{RESULTS}/logs/compare_lensing.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_lensing.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=validation_statistics(),
        maps=variant_settings("plain"),
        theory=THEORY,
        statistics=COMPARED,
        spectrum=SPECTRUM,
        code=code("compare_lensing", *statistics_code(COMPARED)),
    script:
        "../../scripts/compare_lensing.py"


rule compare_projection:
    input:
        unpack(
            lambda wildcards: {
                name: batches(rules.measure_validation.output.summaries, "validation", variant=name)
                for name in PROJECTIONS
            }
        ),
        unpack(
            lambda wildcards: {
                f"{name}_maps": batches(rules.simulate_validation.output.maps, "validation", variant=name)
                for name in PROJECTIONS
            }
        ),
    output:
        table=reported_table(f"{RESULTS}/validation/projection.csv", "projection", "Checks"),
    log:
        f"{RESULTS}/logs/compare_projection.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_projection.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=validation_statistics(),
        projections=PROJECTIONS,
        z_source=EXPERIMENT.validation.z_source,
        smoothing_arcmin=2.0,  # of the one-point distribution
        edges=[-2.5 + 0.5 * edge for edge in range(16)],  # of its bins, in rms of the Born maps
        statistics=COMPARED,
        code=code("compare_projection", *statistics_code(COMPARED)),
    script:
        "../../scripts/compare_projection.py"
