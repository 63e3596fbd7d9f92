rule simulate:
    output:
        maps=RESULTS + "/maps/{cosmology}/{batch}.h5",
    params:
        seeds=seeds_of,
        settings=maps_settings,
        code=MAP_CODE,
        command=lambda wildcards: command(f"{RESULTS}/maps/{wildcards.cosmology}/{wildcards.batch}.h5"),
    log:
        RESULTS + "/logs/simulate/{cosmology}/{batch}.log",
    benchmark:
        RESULTS + "/benchmarks/simulate/{cosmology}/{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    conda:
        "../../environment.yml"
    script:
        "../scripts/simulate.py"


rule differentiate:
    output:
        maps=RESULTS + "/tangents/{cosmology}/{batch}.h5",
    params:
        seeds=seeds_of,
        settings=maps_settings,
        parameters=CONFIG.forecast.parameters,
        code=MAP_CODE,
        command=lambda wildcards: command(f"{RESULTS}/tangents/{wildcards.cosmology}/{wildcards.batch}.h5"),
    log:
        RESULTS + "/logs/differentiate/{cosmology}/{batch}.log",
    benchmark:
        RESULTS + "/benchmarks/differentiate/{cosmology}/{batch}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=480,
    conda:
        "../../environment.yml"
    script:
        "../scripts/differentiate.py"
