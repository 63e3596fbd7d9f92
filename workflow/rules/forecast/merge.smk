include: "merge_checks.smk"


GATHERED = rules.gather  # what a forecast starts from

if MERGED:  # snakemake merge --config run=<name> merge=<run>,<run>

    check_merge()

    ruleorder: merge_runs > gather

    rule merge_runs:
        input:
            summaries=expand("results/{run}/covariance/summaries.h5", run=MERGED),
            jacobians=expand("results/{run}/derivatives/jacobians.h5", run=MERGED),
        output:
            summaries=rules.gather.output.summaries,
            jacobians=rules.gather.output.jacobians,
        log:
            f"{RESULTS}/logs/merge_runs.log",
        benchmark:
            f"{RESULTS}/benchmarks/merge_runs.tsv"
        conda:
            "../../envs/job.yaml"
        resources:
            mem_mb=gather_memory,
            runtime=30,
        params:
            seeds=MERGED,
            hashes=HASHES,
            code=code("merge_runs"),
        script:
            "../../scripts/merge_runs.py"

    GATHERED = rules.merge_runs

    rule merge:
        input:
            lambda wildcards: forecast_files() + forecast_figures() + report_files(),
        localrule: True
