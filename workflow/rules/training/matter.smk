localrules:
    tabulate_matter,


rule compare_matter:
    input:
        reference=rules.reference.output.reference,
        hpn=rules.train_hpn.output.weights,
        pgd=rules.fit_pgd.output.weights,
    output:
        table=reported_table(
            f"{TRAINED}/validation/matter/{{reference}}.csv", "matter", "Corrections", of="{reference}"
        ),
        slices=f"{TRAINED}/validation/slices/{{reference}}.h5",
    log:
        f"{TRAINED}/logs/compare_matter/{{reference}}.log",
    benchmark:
        f"{TRAINED}/benchmarks/compare_matter/{{reference}}.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(matter_memory),
        runtime=growing(60),
    params:
        simulation=TRAINING.simulation.model_dump(mode="json"),
        thickness=8,  # of the slab, in spacings of particles
        points=192,  # per side that the phase-space sheet is interpolated to, by a factor of 2 to 4
        config=reference_settings,
        code=code("compare_matter"),
    script:
        "../../scripts/compare_matter.py"


rule tabulate_matter:
    input:
        tables=expand(rules.compare_matter.output.table, reference=ROLES),
    output:
        summary=reported_table(f"{TRAINED}/validation/matter_summary.csv", "matter_summary", "Corrections"),
        checks=reported_table(f"{TRAINED}/validation/matter_checks.csv", "matter_checks", "Corrections"),
    log:
        f"{TRAINED}/logs/tabulate_matter.log",
    conda:
        "../../envs/job.yaml"
    params:
        roles=ROLES,
        k=[1.0, 2.0, 3.0, 5.0, 7.0],
        of_nyquist=[0.25, 0.5, 0.75, 0.9],
        code=code("tabulate_matter"),
    script:
        "../../scripts/tabulate_matter.py"
