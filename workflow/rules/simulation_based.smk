wildcard_constraints:
    flow=r"\d+",


localrules:
    calibrate_posterior,
    compare_mocks,


rule simulate_prior:
    input:
        weights=weights_made_here(EXPERIMENT.simulation.correction),
    output:
        data=f"{RESULTS}/simulation_based/data/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/simulate_prior/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_prior/{{batch}}.tsv"
    conda:
        "../envs/job.yaml"
    threads: EXPERIMENT.distribution.devices  # of which a process without a GPU makes devices
    resources:
        mem_mb=growing(simulation_memory(tangents=0)),
        runtime=growing(480),
    params:
        seeds=seeds_of,
        maps=map_settings("fiducial"),
        settings=summary_settings(),
        design=dependence.prior_boxes(EXPERIMENT),
        code=code("simulate_prior", *statistics_code(STATISTICS)),
    script:
        "../scripts/simulate_prior.py"


rule train_posterior:
    input:
        data=batches(rules.simulate_prior.output.data, "simulation_based"),
        forecast=rules.forecast.output.forecast,
    output:
        flow=f"{RESULTS}/simulation_based/{{data_vector}}/flow_{{flow}}.h5",
    log:
        f"{RESULTS}/logs/train_posterior/{{data_vector}}_{{flow}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_posterior/{{data_vector}}_{{flow}}.tsv"
    conda:
        "../envs/job.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        seeds=kept_seeds("simulation_based"),
        made_by=lambda wildcards: {
            "forecast": made_by(rules.forecast, data_vector=wildcards.data_vector),
            "data": made_by(rules.simulate_prior),
        },
        learning=dependence.learnt_posterior(EXPERIMENT),
        code=[
            HASHES["maps"],
            HASHES["statistics"],
            *(code(each) for each in ("forecast", "train_posterior")),
            rules.simulate_prior.params.code,
        ],
    script:
        "../scripts/train_posterior.py"


rule calibrate_posterior:
    input:
        flows=lambda wildcards: expand(
            rules.train_posterior.output.flow,
            data_vector=wildcards.data_vector,
            flow=range(EXPERIMENT.simulation_based.flows),
        ),
        data=rules.train_posterior.input.data,
        forecast=rules.forecast.output.forecast,
    output:
        calibration=reported_table(
            f"{RESULTS}/simulation_based/{{data_vector}}/calibration.csv", "sbi_calibration", of="{data_vector}"
        ),
        widths=reported_table(
            f"{RESULTS}/simulation_based/{{data_vector}}/posterior.csv", "sbi_posterior", of="{data_vector}"
        ),
        ranks=f"{RESULTS}/simulation_based/{{data_vector}}/ranks.h5",
        draws=f"{RESULTS}/simulation_based/{{data_vector}}/draws.h5",
    log:
        f"{RESULTS}/logs/calibrate_posterior/{{data_vector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate_posterior/{{data_vector}}.tsv"
    conda:
        "../envs/job.yaml"
    params:
        seeds=kept_seeds("simulation_based"),
        made_by=rules.train_posterior.params.made_by,
        learning=dependence.learnt_posterior(EXPERIMENT),
        code=[*rules.train_posterior.params.code, code("calibrate_posterior")],
    script:
        "../scripts/calibrate_posterior.py"


rule compare_mocks:
    input:
        mocks=rules.tabulate_coverage.input.mocks,
        coordinates=rules.sample_mocks.input.forecast,
        weights=rules.sample_mocks.input.weights,
        flows=rules.calibrate_posterior.input.flows,
        forecast=rules.forecast.output.forecast,
    output:
        table=reported_table(
            f"{RESULTS}/simulation_based/{{data_vector}}/mocks.csv", "mocks", "Checks", of="{data_vector}"
        ),
    log:
        f"{RESULTS}/logs/compare_mocks/{{data_vector}}.log",
    conda:
        "../envs/job.yaml"
    params:
        made_by=lambda wildcards: {
            "field": rules.sample_mocks.params.made_by,
            "forecast": made_by(rules.forecast, data_vector=wildcards.data_vector),
        },
        field=FIELD_SETTINGS,
        learning=dependence.learnt_posterior(EXPERIMENT),
        code=[*rules.calibrate_posterior.params.code, *rules.sample_mocks.params.code, code("compare_mocks")],
    script:
        "../scripts/compare_mocks.py"
