wildcard_constraints:
    level=r"\w+",


use rule differentiate as differentiate_coarser with:
    output:
        planes=stored(f"{RESULTS}/resolution/planes/{{level}}/{{batch}}.h5"),
    log:
        f"{RESULTS}/logs/differentiate_coarser/{{level}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/differentiate_coarser/{{level}}/{{batch}}.tsv"
    params:
        seeds=seeds_of,
        settings=lambda wildcards: level_settings(wildcards.level, plane_settings),
        parameters=PLANE_TANGENTS,
        code=code("differentiate"),


use rule measure_derivatives as measure_coarser with:
    input:
        planes=rules.differentiate_coarser.output.planes,
    output:
        summaries=f"{RESULTS}/resolution/derivatives/{{level}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_coarser/{{level}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_coarser/{{level}}/{{batch}}.tsv"
    params:
        maps=lambda wildcards: dependence.views(level_settings(wildcards.level, settings_of_maps)),
        settings=summary_settings(),
        statistics=STATISTICS,
        parameters=list(EXPERIMENT.forecast.parameters),
        views=EXPERIMENT.derivatives.views,
        draws=EXPERIMENT.derivatives.noise_realisations,
        code=[code("differentiate"), code("measure_derivatives", *statistics_code(STATISTICS))],
