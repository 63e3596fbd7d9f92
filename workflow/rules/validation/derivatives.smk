SHIFTED = [name for name in EXPERIMENT.cosmologies if name != "fiducial"]
COUNTS = [name for name in STATISTICS if EXPERIMENT.statistics[name].is_count]


rule measure_map_derivatives:
    input:
        maps=rules.look.output.maps,
    output:
        summaries=f"{RESULTS}/check_derivatives/expected/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_map_derivatives/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_map_derivatives/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        maps=lambda wildcards: map_settings(wildcards.cosmology),
        settings=summary_settings(),
        statistics=STATISTICS,
        parameters=list(EXPERIMENT.forecast.parameters),
        draws=EXPERIMENT.finite_differences.noise_realisations,
        quantity="expected",
        code=[code("differentiate"), code("look"), code("measure_map_derivatives", *statistics_code(STATISTICS))],
    script:
        "../../scripts/measure_map_derivatives.py"


use rule measure_map_derivatives as measure_through_mask with:
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
        draws=EXPERIMENT.finite_differences.noise_realisations,
        quantity="through_mask",
        code=[code("differentiate"), code("look"), code("measure_map_derivatives", *statistics_code(COUNTS))],


rule compare_derivatives:
    input:
        derivatives=batches(rules.measure_map_derivatives.output.summaries, "finite_differences", cosmology="fiducial"),
        masked=(
            batches(rules.measure_through_mask.output.summaries, "finite_differences", cosmology="fiducial")
            if COUNTS
            else []
        ),
        shifted=batches(rules.measure.output.summaries, "finite_differences", cosmology=SHIFTED),
    output:
        tables=reported_table(
            expand(f"{RESULTS}/check_derivatives/{{statistic}}.csv", statistic=STATISTICS),
            "check_derivatives",
            "Checks",
        ),
        summary=reported_table(f"{RESULTS}/check_derivatives/summary.csv", "check_derivatives", "Checks"),
    log:
        f"{RESULTS}/logs/compare_derivatives.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_derivatives.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        seeds=kept_seeds("finite_differences"),
        made_by={
            "derivatives": made_by(rules.differentiate, rules.look, rules.measure_map_derivatives),
            "masked": made_by(rules.differentiate, rules.look, rules.measure_through_mask),
            "shifted": {name: made_by(rules.simulate, rules.measure, cosmology=name) for name in SHIFTED},
        },
        statistics=STATISTICS,
        steps=EXPERIMENT.steps,
        code=[HASHES["maps"], HASHES["statistics"], code("compare_derivatives")],
    script:
        "../../scripts/compare_derivatives.py"
