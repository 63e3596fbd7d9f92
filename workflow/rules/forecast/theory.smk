localrules:
    theory,
    compare_theory,


MATTER_SEEDS = len(EXPERIMENT.derivatives.seeds[:4])


rule theory:
    output:
        table=reported_table(f"{RESULTS}/theory/c_ell.csv", "theory", "Checks"),
    log:
        f"{RESULTS}/logs/theory.log",
    conda:
        "../../envs/job.yaml"
    params:
        settings=map_settings("fiducial"),
        measured=spectrum_settings() if SPECTRUM else {},
        spectrum=SPECTRUM,
        steps=theory_steps(),
        code=code("theory"),
    script:
        "../../scripts/theory.py"


rule compare_theory:
    input:
        forecast=f"{RESULTS}/fisher/{{data_vector}}.h5",
        theory=rules.theory.output.table,
    output:
        parameters=reported_table(
            f"{RESULTS}/theory/{{data_vector}}_parameters.csv", "theory_parameters", "Checks", of="{data_vector}"
        ),
        directions=reported_table(
            f"{RESULTS}/theory/{{data_vector}}_directions.csv", "theory_directions", "Checks", of="{data_vector}"
        ),
    log:
        f"{RESULTS}/logs/compare_theory/{{data_vector}}.log",
    conda:
        "../../envs/job.yaml"
    params:
        priors=EXPERIMENT.priors,
        measured=summary_settings(),
        code=code("compare_theory", *statistics_code(STATISTICS)),
    script:
        "../../scripts/compare_theory.py"


rule matter_power:
    input:
        weights=weights_made_here(EXPERIMENT.simulation.correction),
    output:
        table=reported_table(f"{RESULTS}/theory/matter_power.csv", "matter_power", "Checks"),
    log:
        f"{RESULTS}/logs/matter_power.log",
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(simulation_memory(tangents=0)),
        runtime=growing(60),
    params:
        settings=plane_settings(EXPERIMENT, EXPERIMENT.fiducial),
        seeds=list(EXPERIMENT.derivatives.seeds[:MATTER_SEEDS]),
        code=code("matter_power"),
    script:
        "../../scripts/matter_power.py"
