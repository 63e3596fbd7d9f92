localrules:
    figure_tomography,


rule measure_components:
    input:
        maps=rules.differentiate.output.maps,
        depth=depth_file(),
    output:
        spectra=f"{RESULTS}/validation/components/{{cosmology}}/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/measure_components/{{cosmology}}/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_components/{{cosmology}}/{{batch}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        maps=lambda wildcards: simulation_settings(wildcards.cosmology),
        settings=spectrum_settings(),
        A_IA=CONFIG.systematics.A_IA,
        code=[MAP_CODE, SUMMARY_CODE, sources("tomography_validation")],
    script:
        "../scripts/measure_components.py"


rule compare_tomography:
    input:
        spectra=batches(rules.measure_components.output.spectra, "derivatives", cosmology="fiducial"),
        jacobians=GATHERED.output.jacobians,
        sources=sources_file(),
        depth=depth_file(),
    output:
        components=f"{RESULTS}/validation/tomography.csv",
        derivatives=f"{RESULTS}/validation/tomography_derivatives.csv",
    log:
        f"{RESULTS}/logs/compare_tomography.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_tomography.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        seeds=kept_seeds("derivatives"),
        made_by=made_by(rules.differentiate, rules.measure_components),
        settings=spectrum_settings(),
        data_vector=statistics_settings(),
        maps=simulation_settings("fiducial"),
        steps={name: step for name, step in theory_steps().items() if name in NUISANCE and name != "log10_T_AGN"},
        code=sources("cosmology", "lensing", "theory", "tomography_validation", "statistics/region_window"),
    script:
        "../scripts/compare_tomography.py"


rule figure_tomography:
    input:
        components=rules.compare_tomography.output.components,
        derivatives=rules.compare_tomography.output.derivatives,
    output:
        components=f"{RESULTS}/figures/validation_tomography.png",
        derivatives=f"{RESULTS}/figures/validation_tomography_derivatives.png",
    log:
        figure_log("tomography"),
    conda:
        "../../environment.yml"
    params:
        code=PLOT_CODE,
    script:
        "../scripts/figure_tomography.py"


rule validate_tomography:
    input:
        rules.compare_tomography.output,
        rules.figure_tomography.output,
    localrule: True
