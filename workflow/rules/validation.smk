SHIFTED = [name for name in CONFIG.cosmologies if name != "fiducial"]
SPECTRA_AND_COUNTS = [name for name in SETTINGS["statistics"] if SETTINGS["statistics"][name]]


localrules:
    figure_check,


use rule measure_derivatives as measure_through_mask with:
    output:
        summaries=f"{RESULTS}/check_derivatives/through_mask/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_through_mask/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_through_mask/{{cosmology}}/{{batch}}.tsv"
    params:
        maps=lambda wildcards: simulation_settings(wildcards.cosmology),
        settings=statistics_settings() | {"statistics": {"peaks": SETTINGS["statistics"]["peaks"]}},
        parameters=CONFIG.forecast.parameters,
        draws=CONFIG.derivatives.noise_realisations,
        quantity="through_mask",
        code=[MAP_CODE, SUMMARY_CODE],


rule compare_derivatives:
    input:
        derivatives=batches(rules.measure_derivatives.output.summaries, "finite_differences", cosmology="fiducial"),
        masked=batches(rules.measure_through_mask.output.summaries, "finite_differences", cosmology="fiducial"),
        shifted=batches(rules.measure.output.summaries, "finite_differences", cosmology=SHIFTED),
    output:
        tables=expand(f"{RESULTS}/check_derivatives/{{statistic}}.csv", statistic=SPECTRA_AND_COUNTS),
        summary=f"{RESULTS}/check_derivatives/summary.csv",
    log:
        f"{RESULTS}/logs/compare_derivatives.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_derivatives.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        seeds=kept_seeds("finite_differences"),
        made_by={
            "derivatives": made_by(rules.differentiate, rules.measure_derivatives),
            "masked": made_by(rules.differentiate, rules.measure_through_mask),
            "shifted": {name: made_by(rules.simulate, rules.measure, cosmology=name) for name in SHIFTED},
        },
        statistics=SPECTRA_AND_COUNTS,
        steps=CONFIG.steps,
        code=[MAP_CODE, SUMMARY_CODE, FORECAST_CODE],
    script:
        "../scripts/compare_derivatives.py"


rule figure_check:
    input:
        tables=rules.compare_derivatives.output.tables,
    output:
        figure=f"{RESULTS}/figures/check_derivatives.png",
    log:
        f"{RESULTS}/logs/figure_check.log",
    conda:
        "../../environment.yml"
    params:
        code=PLOT_CODE,
    script:
        "../scripts/figure_check.py"


rule check_derivatives:
    input:
        rules.compare_derivatives.output.summary,
        rules.figure_check.output.figure,
    localrule: True
