rule simulate:
    input:
        weights=weights_made_here(EXPERIMENT.simulation.correction),
    output:
        maps=stored(f"{RESULTS}/maps/{{cosmology}}/{{batch}}.h5"),
    log:
        f"{RESULTS}/logs/simulate/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../envs/job.yaml"
    threads: EXPERIMENT.distribution.devices  # of which a process without a GPU makes devices
    resources:
        mem_mb=growing(simulation_memory(tangents=0)),
        runtime=growing(240),
    params:
        seeds=seeds_of,
        settings=lambda wildcards: map_settings(wildcards.cosmology),
        code=code("simulate"),
    script:
        "../../scripts/simulate.py"


rule differentiate:
    input:
        weights=weights_made_here(EXPERIMENT.simulation.correction),
    output:
        planes=stored(f"{RESULTS}/planes/{{cosmology}}/{{batch}}.h5"),
    log:
        f"{RESULTS}/logs/differentiate/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/differentiate/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../envs/job.yaml"
    threads: EXPERIMENT.distribution.devices  # of which a process without a GPU makes devices
    resources:
        mem_mb=growing(simulation_memory(tangents=len(PLANE_TANGENTS))),
        runtime=growing(480),
    params:
        seeds=seeds_of,
        settings=lambda wildcards: plane_settings(EXPERIMENT, EXPERIMENT.cosmologies[wildcards.cosmology]),
        parameters=PLANE_TANGENTS,
        code=code("differentiate"),
    script:
        "../../scripts/differentiate.py"


rule look:
    input:
        planes=rules.differentiate.output.planes,
    output:
        maps=f"{RESULTS}/tangents/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/look/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/look/{{cosmology}}/{{batch}}.tsv"
    priority: 1  # before more planes are made: temporary ones go
    conda:
        "../../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=len(EXPERIMENT.tangents))),
        runtime=growing(60),
    params:
        settings=lambda wildcards: map_settings(wildcards.cosmology),
        parameters=list(EXPERIMENT.tangents),
        code=[code("differentiate"), code("look")],
    script:
        "../../scripts/look.py"
