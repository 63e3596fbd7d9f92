localrules:
    forecast,


rule forecast:
    input:
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
        depth=depth_file(),
    output:
        forecast=f"{RESULTS}/fisher/{{data_vector}}.h5",
        parameters=f"{RESULTS}/fisher/{{data_vector}}_parameters.csv",
        directions=f"{RESULTS}/fisher/{{data_vector}}_directions.csv",
        convergence=f"{RESULTS}/fisher/{{data_vector}}_convergence.csv",
    log:
        f"{RESULTS}/logs/forecast/{{data_vector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/forecast/{{data_vector}}.tsv"
    conda:
        "../../environment.yml"
    params:
        seeds=GATHERED.params.seeds,
        made_by=made_by(GATHERED),
        statistics=lambda wildcards: CONFIG.forecast.data_vectors[wildcards.data_vector],
        parameters=CONFIG.parameters,
        systematics=NUISANCE,
        priors=CONFIG.priors,
        fiducial=CONFIG.fiducial,
        area_deg2=CONFIG.survey.area_deg2,
        region=statistics_settings(),
        code=[MAP_CODE, SUMMARY_CODE, FORECAST_CODE],
    script:
        "../scripts/forecast.py"
