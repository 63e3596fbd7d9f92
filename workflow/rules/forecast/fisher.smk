localrules:
    forecast,


rule forecast:
    input:
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
        levels=level_files(),
    output:
        forecast=f"{RESULTS}/fisher/{{data_vector}}.h5",
        parameters=reported_table(f"{RESULTS}/fisher/{{data_vector}}_parameters.csv", "parameters", of="{data_vector}"),
        estimators=reported_table(f"{RESULTS}/fisher/{{data_vector}}_estimators.csv", "estimators", of="{data_vector}"),
        directions=reported_table(f"{RESULTS}/fisher/{{data_vector}}_directions.csv", "directions", of="{data_vector}"),
        reliability=reported_table(
            f"{RESULTS}/fisher/{{data_vector}}_reliability.csv", "reliability", of="{data_vector}"
        ),
        resolution=reported_table(f"{RESULTS}/fisher/{{data_vector}}_resolution.csv", "resolution", of="{data_vector}"),
        bins=reported_table(f"{RESULTS}/fisher/{{data_vector}}_bins.csv", "bins", of="{data_vector}"),
    log:
        f"{RESULTS}/logs/forecast/{{data_vector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/forecast/{{data_vector}}.tsv"
    conda:
        "../../envs/job.yaml"
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
                "seeds": {
                    batch: seeds for section in level_sections(level) for batch, seeds in kept_seeds(section).items()
                },
                "made_by": made_by(rules.differentiate_coarser, rules.measure_coarser, level=level),
            }
            for level in LEVELS
        },
        area_deg2=EXPERIMENT.survey.area_deg2,
        region=summary_settings(),
        code=[HASHES["maps"], HASHES["statistics"], code("forecast")],
    script:
        "../../scripts/forecast.py"
