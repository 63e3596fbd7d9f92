rule measure:
    input:
        maps=rules.simulate.output.maps,
    output:
        summaries=RESULTS + "/summaries/{cosmology}/{batch}.h5",
    params:
        settings=statistics_settings(),
        draws=lambda wildcards: 1 if wildcards.cosmology == "fiducial" else CONFIG.derivatives.noise_realisations,
        code=SUMMARY_CODE,
        command=lambda wildcards: command(f"{RESULTS}/summaries/{wildcards.cosmology}/{wildcards.batch}.h5"),
    log:
        RESULTS + "/logs/measure/{cosmology}/{batch}.log",
    benchmark:
        RESULTS + "/benchmarks/measure/{cosmology}/{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    conda:
        "../../environment.yml"
    script:
        "../scripts/measure.py"


rule measure_derivatives:
    input:
        maps=rules.differentiate.output.maps,
    output:
        summaries=RESULTS + "/derivatives/{cosmology}/{batch}.h5",
    params:
        settings=statistics_settings(),
        draws=CONFIG.derivatives.noise_realisations,
        quantity="expected",
        code=SUMMARY_CODE,
        command=lambda wildcards: command(f"{RESULTS}/derivatives/{wildcards.cosmology}/{wildcards.batch}.h5"),
    log:
        RESULTS + "/logs/measure_derivatives/{cosmology}/{batch}.log",
    benchmark:
        RESULTS + "/benchmarks/measure_derivatives/{cosmology}/{batch}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    conda:
        "../../environment.yml"
    script:
        "../scripts/measure_derivatives.py"


rule gather:
    input:
        summaries=batches(rules.measure.output.summaries, "covariance", cosmology="fiducial"),
        derivatives=batches(rules.measure_derivatives.output.summaries, "derivatives", cosmology="fiducial"),
    output:
        summaries=RESULTS + "/covariance/summaries.h5",
        jacobians=RESULTS + "/derivatives/jacobians.h5",
    params:
        code=FORECAST_CODE,
        command=command(f"{RESULTS}/covariance/summaries.h5"),
    log:
        RESULTS + "/logs/gather.log",
    benchmark:
        RESULTS + "/benchmarks/gather.tsv"
    resources:
        mem_mb=4000,
        runtime=30,
    conda:
        "../../environment.yml"
    script:
        "../scripts/gather.py"
