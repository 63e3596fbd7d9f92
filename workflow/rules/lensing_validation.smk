include: "lensing_variants.smk"


localrules:
    figure_lensing_validation,
    figure_projection,


use rule simulate as simulate_validation with:
    input:
        weights=lambda wildcards: weights_file(variant_settings(wildcards.variant)["simulation"]["correction"]),
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
        code=MAP_CODE,


use rule measure as measure_validation with:
    input:
        maps=rules.simulate_validation.output.maps,
        depth=depth_file(),
    output:
        summaries=f"{RESULTS}/validation/summaries/{{variant}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_validation/{{variant}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_validation/{{variant}}/{{batch}}.tsv"
    params:
        maps=lambda wildcards: variant_settings(wildcards.variant),
        settings=validation_statistics(),
        draws=CONFIG.derivatives.noise_realisations,
        code=[MAP_CODE, SUMMARY_CODE],


rule compare_lensing:
    input:
        unpack(
            lambda wildcards: {
                variant: batches(rules.measure_validation.output.summaries, "validation", variant=variant)
                for variant in VARIANTS
            }
        ),
        depth=depth_file(),
    output:
        table=f"{RESULTS}/validation/lensing.csv",
    log:
        f"{RESULTS}/logs/compare_lensing.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_lensing.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
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
        depth=depth_file(),
    output:
        table=f"{RESULTS}/validation/projection.csv",
    log:
        f"{RESULTS}/logs/compare_projection.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_projection.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=validation_statistics(),
        projections=PROJECTIONS,
        z_source=CONFIG.validation.z_source,
        smoothing_arcmin=2.0,  # of the one-point distribution
        edges=[-2.5 + 0.5 * edge for edge in range(16)],  # of its bins, in rms of the Born maps
        code=sources("lensing_validation", "statistics", "forecast/boxes"),
    script:
        "../scripts/compare_projection.py"


rule figure_projection:
    input:
        table=rules.compare_projection.output.table,
        maps=[batches(rules.simulate_validation.output.maps, "validation", variant=name)[0] for name in PROJECTIONS],
    output:
        figure=f"{RESULTS}/figures/validation_projection.png",
    log:
        figure_log("projection"),
    conda:
        "../../environment.yml"
    params:
        pixels=CONFIG.lightcone.pixels,
        field_deg=CONFIG.lightcone.field_deg,
        code=PLOT_CODE,
    script:
        "../scripts/figure_projection.py"


rule validate_lensing:
    input:
        rules.compare_lensing.output.table,
        rules.figure_lensing_validation.output,
    localrule: True


rule validate_projection:
    input:
        rules.compare_projection.output.table,
        rules.figure_projection.output.figure,
    localrule: True


rule validate:
    input:
        rules.validate_lensing.input,
        rules.validate_projection.input,
        rules.validate_matter.input,
    localrule: True
