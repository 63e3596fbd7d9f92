rule forecast:
    input:
        summaries=rules.gather.output.summaries,
        jacobians=rules.gather.output.jacobians,
    output:
        forecast=RESULTS + "/fisher/{data_vector}.h5",
        parameters=RESULTS + "/fisher/{data_vector}_parameters.csv",
        directions=RESULTS + "/fisher/{data_vector}_directions.csv",
        convergence=RESULTS + "/fisher/{data_vector}_convergence.csv",
    params:
        statistics=lambda wildcards: CONFIG.forecast.data_vectors[wildcards.data_vector],
        parameters=CONFIG.forecast.parameters,
        priors=CONFIG.forecast.priors,
        fiducial=SETTINGS["cosmology"],
        area_deg2=CONFIG.survey.area_deg2,
        region=statistics_settings(),
        code=FORECAST_CODE,
        command=lambda wildcards: command(f"{RESULTS}/fisher/{wildcards.data_vector}.h5"),
    log:
        RESULTS + "/logs/forecast/{data_vector}.log",
    benchmark:
        RESULTS + "/benchmarks/forecast/{data_vector}.tsv"
    resources:
        mem_mb=4000,
        runtime=30,
    conda:
        "../../environment.yml"
    script:
        "../scripts/forecast.py"


def forecast_tables():
    """Tables of all data vectors."""
    return expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS)
