localrules:
    export,


EXPORTS = [
    *["covmat", "paramnames", "ranges", "cobaya.yaml"],
    *(bool(EXPERIMENT.forecast.samples) * ["1.txt"]),
    *(SACC * ["sacc.fits"]),
]
"""Endings of the files of each data vector."""


rule export:
    input:
        forecasts=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS),
        estimators=expand(rules.forecast.output.estimators, data_vector=DATA_VECTORS),
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
    output:
        dataset=f"{RESULTS}/export/forecast.h5",
        latex=f"{RESULTS}/export/parameters.tex",
        posteriors=expand(f"{RESULTS}/export/{{name}}.{{ending}}", name=DATA_VECTORS, ending=EXPORTS),
        cosmosis=expand(
            f"{RESULTS}/export/{{name}}_cosmosis{{ending}}.txt", name=DATA_VECTORS, ending=["", "_with_priors"]
        ),
    log:
        f"{RESULTS}/logs/export.log",
    conda:
        "../../envs/job.yaml"
    params:
        data_vectors=DATA_VECTORS,
        samples=EXPERIMENT.forecast.samples,
        sacc=SACC,
        survey=settings_of(EXPERIMENT, "survey")["survey"],
        priors=EXPERIMENT.priors,
        region=summary_settings(),
        code=code("export", *statistics_code(STATISTICS)),
    script:
        "../../scripts/export.py"
