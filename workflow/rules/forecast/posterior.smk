localrules:
    sample_posterior,


rule sample_posterior:
    input:
        forecast=rules.forecast.output.forecast,
        estimators=rules.forecast.output.estimators,
    output:
        chains=f"{RESULTS}/posterior/{{data_vector}}.h5",
        table=reported_table(f"{RESULTS}/posterior/{{data_vector}}.csv", "posterior", of="{data_vector}"),
    log:
        f"{RESULTS}/logs/sample_posterior/{{data_vector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_posterior/{{data_vector}}.tsv"
    conda:
        "../../envs/job.yaml"
    params:
        seeds=GATHERED.params.seeds,
        made_by=lambda wildcards: made_by(rules.forecast, data_vector=wildcards.data_vector),
        chains=4,
        draws=4000,
        code=[HASHES["maps"], HASHES["statistics"], code("forecast"), code("sample_posterior")],
    script:
        "../../scripts/sample_posterior.py"
