import math

FIGURES = ["maps", "power_spectrum", "peaks", "derivatives", "correlation", "triangle", "convergence", "matter_power"]
FIRST_DERIVATIVES = next(iter(CONFIG.batches["derivatives"]))


def forecast_figures():
    """Figures of the forecast; the matter power spectrum shows theory, so it needs CAMB."""
    return [f"{RESULTS}/figures/{name}.png" for name in FIGURES if THEORY or name != "matter_power"]


def figure_log(name):
    return f"{RESULTS}/logs/figure_{name}.log"


rule theory:
    output:
        table=RESULTS + "/theory/c_ell.csv",
    params:
        cosmology=SETTINGS["cosmology"],
        lightcone=SETTINGS["lightcone"],
        box_size=SETTINGS["simulation"]["box_size"],
        z_source=SETTINGS["survey"]["z_source"],
        ell_edges=SETTINGS["statistics"]["power_spectrum"]["ell_edges"],
        steps=SETTINGS["finite_differences"]["steps"],
        code=sources("theory"),
    log:
        RESULTS + "/logs/theory.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/theory.py"


rule matter_power:
    output:
        table=RESULTS + "/theory/matter_power.csv",
        figure=RESULTS + "/figures/matter_power.png",
    params:
        simulation=SETTINGS["simulation"],
        lightcone=SETTINGS["lightcone"],
        cosmology=SETTINGS["cosmology"],
        seeds=list(CONFIG.derivatives.seeds[:4]),
        code=[sources("cosmology", "gravity", "theory"), PLOT_CODE],
    log:
        RESULTS + "/logs/matter_power.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/matter_power.py"


rule figure_maps:
    input:
        tangents=expand(rules.differentiate.output.maps, cosmology="fiducial", batch=FIRST_DERIVATIVES)[0],
    output:
        figure=RESULTS + "/figures/maps.png",
    params:
        field_deg=CONFIG.lightcone.field_deg,
        sigma_pixel=CONFIG.survey.sigma_e / CONFIG.survey.n_gal**0.5 / CONFIG.lightcone.pixel_arcmin,
        code=PLOT_CODE,
    log:
        figure_log("maps"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_maps.py"


rule figure_power_spectrum:
    input:
        summaries=rules.gather.output.summaries,
        jacobians=rules.gather.output.jacobians,
        theory=rules.theory.output.table if THEORY else [],
    output:
        figure=RESULTS + "/figures/power_spectrum.png",
    params:
        settings=statistics_settings(),
        cosmology=SETTINGS["cosmology"],
        z_source=SETTINGS["survey"]["z_source"],
        particle_nyquist=math.pi * CONFIG.simulation.particles / CONFIG.simulation.box_size,
        code=PLOT_CODE,
    log:
        figure_log("power_spectrum"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_power_spectrum.py"


rule figure_peaks:
    input:
        summaries=rules.gather.output.summaries,
        jacobians=rules.gather.output.jacobians,
    output:
        figure=RESULTS + "/figures/peaks.png",
    params:
        code=PLOT_CODE,
    log:
        figure_log("peaks"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_peaks.py"


rule figure_derivatives:
    input:
        jacobians=rules.gather.output.jacobians,
        theory=rules.theory.output.table if THEORY else [],
    output:
        figure=RESULTS + "/figures/derivatives.png",
    params:
        settings=statistics_settings(),
        code=PLOT_CODE,
    log:
        figure_log("derivatives"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_derivatives.py"


rule figure_correlation:
    input:
        forecast=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS[-1])[0],
    output:
        figure=RESULTS + "/figures/correlation.png",
    params:
        code=PLOT_CODE,
    log:
        figure_log("correlation"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_correlation.py"


rule figure_triangle:
    input:
        forecasts=expand(rules.forecast.output.forecast, data_vector=DATA_VECTORS),
        parameters=expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS),
    output:
        figure=RESULTS + "/figures/triangle.png",
    params:
        data_vectors=DATA_VECTORS,
        code=PLOT_CODE,
    log:
        figure_log("triangle"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_triangle.py"


rule figure_convergence:
    input:
        curves=expand(rules.forecast.output.convergence, data_vector=DATA_VECTORS),
    output:
        figure=RESULTS + "/figures/convergence.png",
    params:
        data_vectors=DATA_VECTORS,
        code=PLOT_CODE,
    log:
        figure_log("convergence"),
    conda:
        "../../environment.yml"
    script:
        "../scripts/figure_convergence.py"
