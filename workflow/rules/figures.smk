import math

FIRST_DERIVATIVES = next(iter(CONFIG.batches["derivatives"]))
FIRST_AND_LAST = list(dict.fromkeys([DATA_VECTORS[0], DATA_VECTORS[-1]]))


localrules:
    theory,
    figure_maps,
    figure_power_spectrum,
    figure_peaks,
    figure_derivatives,
    figure_correlation,
    figure_triangle,
    figure_systematics,
    figure_convergence,


rule theory:
    input:
        sources=sources_file(),
        depth=depth_file(),
    output:
        table=f"{RESULTS}/theory/c_ell.csv",
    log:
        f"{RESULTS}/logs/theory.log",
    conda:
        "../../environment.yml"
    params:
        settings=simulation_settings("fiducial"),
        measured=spectrum_settings(),
        steps=theory_steps(),
        code=sources("cosmology", "lensing", "theory", "statistics/power_spectrum", "statistics/region_window"),
    script:
        "../scripts/theory.py"


rule matter_power:
    input:
        weights=weights_file(CORRECTION),
    output:
        table=f"{RESULTS}/theory/matter_power.csv",
        figure=f"{RESULTS}/figures/matter_power.png",
    log:
        f"{RESULTS}/logs/matter_power.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(simulation_memory(tangents=0)),
        runtime=growing(60),
    params:
        settings=lambda wildcards: simulation_settings("fiducial"),
        seeds=list(CONFIG.derivatives.seeds[:4]),
        code=[sources("cosmology", "gravity", "theory"), PLOT_CODE],
    script:
        "../scripts/matter_power.py"


rule figure_maps:
    input:
        tangents=expand(rules.differentiate.output.maps, cosmology="fiducial", batch=FIRST_DERIVATIVES)[0],
        depth=depth_file(),
    output:
        figure=f"{RESULTS}/figures/maps.png",
    log:
        figure_log("maps"),
    priority: 1  # it reads maps, as what measures does
    conda:
        "../../environment.yml"
    params:
        settings=statistics_settings(),
        code=PLOT_CODE,
    script:
        "../scripts/figure_maps.py"


rule figure_power_spectrum:
    input:
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
        theory=rules.theory.output.table if THEORY else [],
        depth=depth_file(),
    output:
        figure=f"{RESULTS}/figures/power_spectrum.png",
    log:
        figure_log("power_spectrum"),
    conda:
        "../../environment.yml"
    params:
        settings=statistics_settings(),
        cosmology=SETTINGS["cosmology"],
        sources=SETTINGS["survey"]["sources"],
        particle_nyquist=math.pi * CONFIG.simulation.particles / CONFIG.simulation.box_size,
        code=PLOT_CODE,
    script:
        "../scripts/figure_power_spectrum.py"


rule figure_peaks:
    input:
        summaries=GATHERED.output.summaries,
        jacobians=GATHERED.output.jacobians,
    output:
        figure=f"{RESULTS}/figures/peaks.png",
    log:
        figure_log("peaks"),
    conda:
        "../../environment.yml"
    params:
        code=PLOT_CODE,
    script:
        "../scripts/figure_peaks.py"


rule figure_derivatives:
    input:
        jacobians=GATHERED.output.jacobians,
        theory=rules.theory.output.table if THEORY else [],
        depth=depth_file(),
    output:
        figure=f"{RESULTS}/figures/derivatives.png",
    log:
        figure_log("derivatives"),
    conda:
        "../../environment.yml"
    params:
        settings=statistics_settings(),
        code=PLOT_CODE,
    script:
        "../scripts/figure_derivatives.py"


rule figure_correlation:
    input:
        forecast=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS[-1])[0],
    output:
        figure=f"{RESULTS}/figures/correlation.png",
    log:
        figure_log("correlation"),
    conda:
        "../../environment.yml"
    params:
        code=PLOT_CODE,
    script:
        "../scripts/figure_correlation.py"


rule figure_triangle:
    input:
        forecasts=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS),
        parameters=expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS),
    output:
        figure=f"{RESULTS}/figures/triangle.png",
    log:
        figure_log("triangle"),
    conda:
        "../../environment.yml"
    params:
        data_vectors=DATA_VECTORS,
        code=PLOT_CODE,
    script:
        "../scripts/figure_triangle.py"


rule figure_systematics:
    input:
        forecasts=expand(rules.forecast.output.forecast, data_vector=FIRST_AND_LAST),
    output:
        figure=f"{RESULTS}/figures/systematics.png",
    log:
        figure_log("systematics"),
    conda:
        "../../environment.yml"
    params:
        data_vectors=FIRST_AND_LAST,
        systematics=NUISANCE,
        code=PLOT_CODE,
    script:
        "../scripts/figure_systematics.py"


rule figure_convergence:
    input:
        curves=expand(rules.forecast.output.convergence, data_vector=DATA_VECTORS),
    output:
        figure=f"{RESULTS}/figures/convergence.png",
    log:
        figure_log("convergence"),
    conda:
        "../../environment.yml"
    params:
        data_vectors=DATA_VECTORS,
        code=PLOT_CODE,
    script:
        "../scripts/figure_convergence.py"
