SHIFTED = [name for name in EXPERIMENT.cosmologies if name != "fiducial"]
COUNTS = [name for name in STATISTICS if EXPERIMENT.statistics[name].is_count]


use rule measure_derivatives as measure_through_mask with:
    output:
        summaries=f"{RESULTS}/check_derivatives/through_mask/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_through_mask/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_through_mask/{{cosmology}}/{{batch}}.tsv"
    params:
        maps=lambda wildcards: map_settings(wildcards.cosmology),
        settings=settings_of_statistics(EXPERIMENT, EXPERIMENT.fiducial, COUNTS),
        statistics=COUNTS,
        parameters=list(EXPERIMENT.forecast.parameters),
        draws=EXPERIMENT.derivatives.noise_realisations,
        quantity="through_mask",
        code=[HASHES["maps"], HASHES["statistics"]],


rule compare_derivatives:
    input:
        derivatives=batches(rules.measure_derivatives.output.summaries, "finite_differences", cosmology="fiducial"),
        masked=(
            batches(rules.measure_through_mask.output.summaries, "finite_differences", cosmology="fiducial")
            if COUNTS
            else []
        ),
        shifted=batches(rules.measure.output.summaries, "finite_differences", cosmology=SHIFTED),
    output:
        tables=expand(f"{RESULTS}/check_derivatives/{{statistic}}.csv", statistic=STATISTICS),
        summary=f"{RESULTS}/check_derivatives/summary.csv",
    log:
        f"{RESULTS}/logs/compare_derivatives.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_derivatives.tsv"
    conda:
        "../../../environment.yml"
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
        statistics=STATISTICS,
        steps=EXPERIMENT.steps,
        code=[HASHES["maps"], HASHES["statistics"], code("compare_derivatives")],
    script:
        "../../scripts/compare_derivatives.py"
