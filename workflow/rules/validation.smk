SHIFTED = [name for name in CONFIG.cosmologies if name != "fiducial"]
SPECTRA_AND_COUNTS = [name for name in SETTINGS["statistics"] if SETTINGS["statistics"][name]]


rule compare_derivatives:
    input:
        derivatives=batches(rules.measure_derivatives.output.summaries, "finite_differences", cosmology="fiducial"),
        tangents=batches(rules.differentiate.output.maps, "finite_differences", cosmology="fiducial"),
        shifted=batches(rules.measure.output.summaries, "finite_differences", cosmology=SHIFTED),
    output:
        tables=expand(RESULTS + "/check_derivatives/{statistic}.csv", statistic=SPECTRA_AND_COUNTS),
        summary=RESULTS + "/check_derivatives/summary.csv",
    params:
        statistics=SPECTRA_AND_COUNTS,
        steps=CONFIG.finite_differences.steps,
        settings=statistics_settings(),
        draws=CONFIG.derivatives.noise_realisations,
        code=[SUMMARY_CODE, FORECAST_CODE],
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
