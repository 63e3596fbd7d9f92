rule reference:
    input:
        missing=lambda wildcards: missing_snapshots(wildcards.reference),
    output:
        reference=f"{TRAINED}/references/{{reference}}.h5",
    log:
        f"{TRAINED}/logs/reference/{{reference}}.log",
    benchmark:
        f"{TRAINED}/benchmarks/reference/{{reference}}.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(reference_memory),
        runtime=growing(120),
    params:
        settings=reference_settings,
        # a function of the output, which snakemake does not record: other paths alone run nothing again
        files=lambda wildcards, output: snapshot_files(wildcards.reference),
        code=code("reference"),
    script:
        "../../scripts/reference.py"


rule train_hpn:
    input:
        references=expand(rules.reference.output.reference, reference=TRAINING.references),
    output:
        weights=f"{TRAINED}/hpn.json",
        history=reported_table(f"{TRAINED}/history.csv", "history", "Corrections"),
    log:
        f"{TRAINED}/logs/train_hpn.log",
    benchmark:
        f"{TRAINED}/benchmarks/train_hpn.tsv"
    conda:
        "../../envs/job.yaml"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        settings=training_settings,
        code=code("train_hpn"),
    script:
        "../../scripts/train_hpn.py"


rule fit_pgd:
    input:
        references=rules.train_hpn.input.references,
    output:
        weights=f"{TRAINED}/pgd.json",
    log:
        f"{TRAINED}/logs/fit_pgd.log",
    benchmark:
        f"{TRAINED}/benchmarks/fit_pgd.tsv"
    conda:
        "../../envs/job.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=training_settings,
        code=code("fit_pgd"),
    script:
        "../../scripts/fit_pgd.py"
