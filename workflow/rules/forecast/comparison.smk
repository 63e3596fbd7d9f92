localrules:
    compare_data_vectors,


rule compare_data_vectors:
    input:
        parameters=expand(f"{RESULTS}/fisher/{{data_vector}}_parameters.csv", data_vector=DATA_VECTORS),
    output:
        table=f"{RESULTS}/comparison/data_vectors.csv",
    log:
        f"{RESULTS}/logs/compare_data_vectors.log",
    conda:
        "../../../environment.yml"
    params:
        data_vectors=DATA_VECTORS,
        code=code("compare_data_vectors"),
    script:
        "../../scripts/compare_data_vectors.py"


if OTHER_RUNS:  # snakemake compare_runs --config compare=<run>,<run>
    RUNS = [EXPERIMENT.run, *OTHER_RUNS]
    COMPARISON = f"{RESULTS}/comparison/{'_'.join(OTHER_RUNS)}"

    localrules:
        compare_runs,

    rule compare_runs:
        input:
            forecasts=expand("results/{run}/fisher/{data_vector}.h5", data_vector=DATA_VECTORS, run=RUNS),
            parameters=expand("results/{run}/fisher/{data_vector}_parameters.csv", data_vector=DATA_VECTORS, run=RUNS),
        output:
            table=f"{COMPARISON}/parameters.csv",
            figures=expand(f"{COMPARISON}/{{data_vector}}.png", data_vector=DATA_VECTORS),
        log:
            f"{RESULTS}/logs/compare_runs/{'_'.join(OTHER_RUNS)}.log",
        conda:
            "../../../environment.yml"
        params:
            runs=RUNS,
            data_vectors=DATA_VECTORS,
            code=code("compare_runs"),
        script:
            "../../scripts/compare_runs.py"
