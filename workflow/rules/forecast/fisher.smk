localrules:
    forecast,


rule forecast:
    input:
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
        levels=level_files(),
    output:
        forecast=f"{RESULTS}/fisher/{{data_vector}}.h5",
        parameters=f"{RESULTS}/fisher/{{data_vector}}_parameters.csv",
        directions=f"{RESULTS}/fisher/{{data_vector}}_directions.csv",
        reliability=f"{RESULTS}/fisher/{{data_vector}}_reliability.csv",
        resolution=f"{RESULTS}/fisher/{{data_vector}}_resolution.csv",
        bins=f"{RESULTS}/fisher/{{data_vector}}_bins.csv",
    log:
        f"{RESULTS}/logs/forecast/{{data_vector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/forecast/{{data_vector}}.tsv"
    conda:
        "../../../environment.yml"
    params:
        seeds=GATHERED.params.seeds,
        made_by=made_by(GATHERED),
        statistics=lambda wildcards: list(EXPERIMENT.forecast.data_vectors[wildcards.data_vector]),
        parameters=list(EXPERIMENT.parameters),
        priors=EXPERIMENT.priors,
        fiducial=EXPERIMENT.fiducial,
        scale_cuts=EXPERIMENT.forecast.scale_cuts,
        gaussian_bins=settings_of(EXPERIMENT, "forecast")["forecast"]["gaussian_bins"],
        drop_bins=EXPERIMENT.forecast.drop_bins,
        levels={
            level: {
                "seeds": kept_seeds("resolution"),
                "made_by": made_by(rules.differentiate_coarser, rules.measure_coarser, level=level),
            }
            for level in LEVELS
        },
        area_deg2=EXPERIMENT.survey.area_deg2,
        region=summary_settings(),
        code=[HASHES["maps"], HASHES["statistics"], code("forecast")],
    script:
        "../../scripts/forecast.py"
