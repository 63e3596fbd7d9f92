wildcard_constraints:
    chain=r"\d+",
    mocks=r"\d+_\d+",


rule sample_chain:
    input:
        forecast=f"{RESULTS}/fisher/{DATA_VECTORS[0]}.h5",
        weights=weights_made_here(EXPERIMENT.simulation.correction),
    output:
        chain=f"{RESULTS}/field_level/chains/chain_{{chain}}.h5",
    log:
        f"{RESULTS}/logs/sample_chain/{{chain}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_chain/{{chain}}.tsv"
    conda:
        "../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=2)),
        runtime=growing(1440),
    params:
        made_by=made_by(rules.forecast, data_vector=DATA_VECTORS[0]),
        settings=FIELD_SETTINGS,
        code=[HASHES["maps"], HASHES["statistics"], code("forecast"), code("sample_chain")],
    script:
        "../scripts/sample_chain.py"


rule diagnose_chains:
    input:
        chains=expand(rules.sample_chain.output.chain, chain=range(EXPERIMENT.field_level.chains)),
        forecasts=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS),
        weights=rules.sample_chain.input.weights,
    output:
        table=reported_table(f"{RESULTS}/field_level/diagnostics.csv", "field_diagnostics"),
        recovery=reported_table(f"{RESULTS}/field_level/recovery.csv", "field_recovery"),
    log:
        f"{RESULTS}/logs/diagnose_chains.log",
    conda:
        "../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=2)),
        runtime=growing(60),
    params:
        data_vectors=DATA_VECTORS,
        made_by=rules.sample_chain.params.made_by,
        settings=FIELD_SETTINGS,
        code=[*rules.sample_chain.params.code, code("diagnose_chains")],
    script:
        "../scripts/diagnose_chains.py"


rule sample_mocks:
    input:
        forecast=rules.sample_chain.input.forecast,
        weights=rules.sample_chain.input.weights,
    output:
        mocks=f"{RESULTS}/field_level/mocks/mocks_{{mocks}}.h5",
    log:
        f"{RESULTS}/logs/sample_mocks/{{mocks}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_mocks/{{mocks}}.tsv"
    conda:
        "../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=2)),
        runtime=growing(1440),
    params:
        mocks=lambda wildcards: list(range(int(wildcards.mocks.split("_")[0]), int(wildcards.mocks.split("_")[1]) + 1)),
        made_by=rules.sample_chain.params.made_by,
        settings=FIELD_SETTINGS,
        code=[*rules.sample_chain.params.code, code("sample_mocks")],
    script:
        "../scripts/sample_mocks.py"


rule tabulate_coverage:
    input:
        forecast=rules.sample_chain.input.forecast,
        weights=rules.sample_chain.input.weights,
        mocks=expand(rules.sample_mocks.output.mocks, mocks=mock_jobs()),
    output:
        table=reported_table(f"{RESULTS}/field_level/coverage.csv", "field_coverage", "Checks"),
        recovery=reported_table(f"{RESULTS}/field_level/coverage_of_bands.csv", "field_coverage_of_bands", "Checks"),
    log:
        f"{RESULTS}/logs/tabulate_coverage.log",
    conda:
        "../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(simulation_memory(tangents=2)),
        runtime=growing(60),
    params:
        made_by=rules.sample_chain.params.made_by,
        settings=FIELD_SETTINGS,
        code=[*rules.sample_mocks.params.code, code("tabulate_coverage")],
    script:
        "../scripts/tabulate_coverage.py"
