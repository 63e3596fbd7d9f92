localrules:
    compare_data_vectors,


rule compare_data_vectors:
    input:
        estimators=expand(f"{RESULTS}/fisher/{{data_vector}}_estimators.csv", data_vector=DATA_VECTORS),
    output:
        table=reported_table(f"{RESULTS}/comparison/data_vectors.csv", "data_vectors", of="all data vectors"),
    log:
        f"{RESULTS}/logs/compare_data_vectors.log",
    conda:
        "../../envs/job.yaml"
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
            estimators=expand("results/{run}/fisher/{data_vector}_estimators.csv", data_vector=DATA_VECTORS, run=RUNS),
        output:
            table=reported_table(f"{COMPARISON}/parameters.csv", "comparison", of=" and ".join(RUNS)),
            figures=report(
                expand(f"{COMPARISON}/{{data_vector}}.png", data_vector=DATA_VECTORS),
                caption=caption_file("comparison"),
                category="Forecast",
                labels={"figure": "Contours of several runs"},
            ),
        log:
            f"{RESULTS}/logs/compare_runs/{'_'.join(OTHER_RUNS)}.log",
        conda:
            "../../envs/job.yaml"
        params:
            runs=RUNS,
            data_vectors=DATA_VECTORS,
            code=code("compare_runs"),
        script:
            "../../scripts/compare_runs.py"
