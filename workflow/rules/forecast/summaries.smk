localrules:
    gather,


rule measure:
    input:
        maps=rules.simulate.output.maps,
    output:
        summaries=f"{RESULTS}/summaries/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure/{{cosmology}}/{{batch}}.tsv"
    priority: 1  # before more maps are made: temporary ones go
    conda:
        "../../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        maps=lambda wildcards: map_settings(wildcards.cosmology),
        settings=lambda wildcards: summary_settings(wildcards.cosmology),
        statistics=STATISTICS,
        draws=lambda wildcards: (
            1 if wildcards.cosmology == "fiducial" else EXPERIMENT.finite_differences.noise_realisations
        ),
        code=[code("simulate"), code("measure", *statistics_code(STATISTICS))],
    script:
        "../../scripts/measure.py"


rule measure_derivatives:
    input:
        planes=rules.differentiate.output.planes,
    output:
        summaries=f"{RESULTS}/derivatives/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_derivatives/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_derivatives/{{cosmology}}/{{batch}}.tsv"
    priority: 1  # before more planes are made: temporary ones go
    conda:
        "../../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=len(EXPERIMENT.tangents))),
        runtime=growing(240),
    params:
        maps=lambda wildcards: dependence.views(map_settings(wildcards.cosmology)),
        settings=summary_settings(),
        statistics=STATISTICS,
        parameters=list(EXPERIMENT.forecast.parameters),
        views=EXPERIMENT.derivatives.views,
        draws=EXPERIMENT.derivatives.noise_realisations,
        code=[code("differentiate"), code("measure_derivatives", *statistics_code(STATISTICS))],
    script:
        "../../scripts/measure_derivatives.py"


rule gather:
    input:
        summaries=batches(rules.measure.output.summaries, "covariance", cosmology="fiducial"),
        derivatives=batches(rules.measure_derivatives.output.summaries, "derivatives", cosmology="fiducial"),
    output:
        summaries=f"{RESULTS}/covariance/summaries.h5",
        jacobians=f"{RESULTS}/derivatives/jacobians.h5",
    log:
        f"{RESULTS}/logs/gather.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=gather_memory,
    params:
        hashes=HASHES,
        seeds={"summaries": kept_seeds("covariance"), "derivatives": kept_seeds("derivatives")},
        made_by={
            "summaries": made_by(rules.simulate, rules.measure),
            "derivatives": made_by(rules.differentiate, rules.measure_derivatives),
        },
        code=[HASHES["maps"], HASHES["statistics"], code("gather")],
    script:
        "../../scripts/gather.py"
