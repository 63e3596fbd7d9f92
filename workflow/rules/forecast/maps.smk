rule simulate:
    input:
        weights=weights_file(EXPERIMENT.simulation.correction),
        sources=sources_file(),
    output:
        maps=stored(f"{RESULTS}/maps/{{cosmology}}/{{batch}}.h5"),
    log:
        f"{RESULTS}/logs/simulate/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../../environment.yml"
    threads: 1
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
        weights=weights_file(EXPERIMENT.simulation.correction),
        sources=sources_file(),
    output:
        maps=stored(f"{RESULTS}/tangents/{{cosmology}}/{{batch}}.h5"),
    log:
        f"{RESULTS}/logs/differentiate/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/differentiate/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=sum(name in COSMOLOGICAL for name in EXPERIMENT.tangents))),
        runtime=growing(480),
    params:
        seeds=seeds_of,
        settings=lambda wildcards: map_settings(wildcards.cosmology),
        parameters=list(EXPERIMENT.tangents),
        code=code("differentiate"),
    script:
        "../../scripts/differentiate.py"
