if ARRAYS:  # snakemake reanalyse --config arrays=<file or folder>

    localrules:
        reanalyse,

    rule reanalyse:
        input:
            arrays=ARRAYS,
        output:
            **{
                name: reported_table(f"{REANALYSIS}/{name}.csv", name, of="all data vectors")
                for name in ("parameters", "estimators", "directions", "reliability")
            },
            figures=report(
                expand(
                    f"{REANALYSIS}/{{figure}}.{{ending}}", figure=["triangle", "reliability"], ending=["png", "pdf"]
                ),
                caption=caption_file("reanalysis"),
                category="Forecast",
                labels={"figure": "Forecast of arrays"},
            ),
        log:
            f"{REANALYSIS}/reanalyse.log",
        conda:
            "../envs/job.yaml"
        params:
            area_ratio=AREA_RATIO,
            code=code("reanalyse"),
        script:
            "../scripts/reanalyse.py"


if FOREIGN_MAPS:  # snakemake measure_maps --config maps=<description>.yaml

    try:
        MAP_CAMPAIGN = experiment.read_map_campaign(FOREIGN_MAPS)
    except experiment.ConfigError as error:
        raise WorkflowError(str(error)) from None

    rule measure_maps:
        input:
            description=FOREIGN_MAPS,
            files=files_of_maps(MAP_CAMPAIGN),
        output:
            arrays=f"results/{MAP_CAMPAIGN.run}/measured/arrays.npz",
        log:
            f"results/{MAP_CAMPAIGN.run}/logs/measure_maps.log",
        conda:
            "../envs/job.yaml"
        params:
            settings=MAP_CAMPAIGN.model_dump(mode="json"),
            code=code("measure_maps", *statistics_code(MAP_CAMPAIGN.statistics, MAP_CAMPAIGN.statistics)),
        script:
            "../scripts/measure_maps.py"
