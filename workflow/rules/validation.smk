SHIFTED = [name for name in CONFIG.cosmologies if name != "fiducial"]
SPECTRA_AND_COUNTS = [name for name in SETTINGS["statistics"] if SETTINGS["statistics"][name]]


use rule measure_derivatives as measure_through_mask with:
    output:
        summaries=RESULTS + "/check_derivatives/through_mask/{cosmology}/{batch}.h5",
    params:
        settings=statistics_settings() | {"statistics": {"peaks": SETTINGS["statistics"]["peaks"]}},
        draws=CONFIG.derivatives.noise_realisations,
        quantity="through_mask",
        code=SUMMARY_CODE,
        command="snakemake check_derivatives",
    log:
        RESULTS + "/logs/measure_through_mask/{cosmology}/{batch}.log",
    benchmark:
        RESULTS + "/benchmarks/measure_through_mask/{cosmology}/{batch}.tsv"


rule compare_derivatives:
    input:
        derivatives=batches(rules.measure_derivatives.output.summaries, "finite_differences", cosmology="fiducial"),
        masked=batches(rules.measure_through_mask.output.summaries, "finite_differences", cosmology="fiducial"),
        shifted=batches(rules.measure.output.summaries, "finite_differences", cosmology=SHIFTED),
    output:
        tables=expand(RESULTS + "/check_derivatives/{statistic}.csv", statistic=SPECTRA_AND_COUNTS),
        summary=RESULTS + "/check_derivatives/summary.csv",
    params:
        statistics=SPECTRA_AND_COUNTS,
        steps=CONFIG.finite_differences.steps,
        code=FORECAST_CODE,
    log:
        RESULTS + "/logs/compare_derivatives.log",
    benchmark:
        RESULTS + "/benchmarks/compare_derivatives.tsv"
    resources:
        mem_mb=8000,
        runtime=60,
    conda:
        "../../environment.yml"
    script:
        "../scripts/compare_derivatives.py"


rule figure_check:
    input:
        tables=rules.compare_derivatives.output.tables,
    output:
        figure=RESULTS + "/figures/check_derivatives.png",
    params:
        code=PLOT_CODE,
    log:
        RESULTS + "/logs/figure_check.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_check.py"


rule check_derivatives:
    input:
        rules.compare_derivatives.output.summary,
        rules.figure_check.output.figure,
    localrule: True
