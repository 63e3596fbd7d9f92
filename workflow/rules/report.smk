localrules:
    write_report,


rule write_report:
    input:
        **{name: expand(getattr(rules.forecast.output, name), data_vector=DATA_VECTORS) for name in REPORT_TABLES},
        forecast=lambda wildcards: fisher("forecast")[-1],
        figures=lambda wildcards: forecast_figures(),
    output:
        page=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/write_report.log",
    conda:
        "../envs/job.yaml"
    params:
        data_vectors=DATA_VECTORS,
        figures={name: FIGURES[name].function.partition(":")[2] for name in FORECAST_FIGURES},
        settings=dict(config),
        code=code("write_report"),
    script:
        "../scripts/write_report.py"
