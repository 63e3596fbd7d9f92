rule measure_components:
    input:
        maps=rules.look.output.maps,
    output:
        spectra=f"{RESULTS}/validation/components/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_components/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_components/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        maps=lambda wildcards: map_settings(wildcards.cosmology),
        settings=spectrum_settings() if SPECTRUM else {},
        spectrum=SPECTRUM,
        code=[
            code("differentiate"),
            code("look"),
            code("measure_components", *statistics_code([SPECTRUM] if SPECTRUM else [])),
        ],
    script:
        "../../scripts/measure_components.py"


rule compare_tomography:
    input:
        spectra=batches(rules.measure_components.output.spectra, "derivatives", cosmology="fiducial"),
        jacobians=GATHERED.output.jacobians,
    output:
        components=reported_table(f"{RESULTS}/validation/tomography.csv", "tomography", "Checks"),
        derivatives=reported_table(
            f"{RESULTS}/validation/tomography_derivatives.csv", "tomography_derivatives", "Checks"
        ),
    log:
        f"{RESULTS}/logs/compare_tomography.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_tomography.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        seeds=kept_seeds("derivatives"),
        made_by=made_by(rules.differentiate, rules.look, rules.measure_components),
        settings=spectrum_settings() if SPECTRUM else {},
        spectrum=SPECTRUM,
        data_vector=summary_settings(),
        maps=map_settings("fiducial"),
        # of parameters that leave the matter power as it is
        steps={
            name: step for name, step in theory_steps().items() if PARAMETERS[stem(name)].enters in ("kernels", "map")
        },
        code=code("compare_tomography", *statistics_code(STATISTICS)),
    script:
        "../../scripts/compare_tomography.py"
