rule sample_field:
    input:
        rules.diagnose_chains.output,
        figures("field_posterior", "field_recovery"),
    localrule: True


rule check_coverage:
    input:
        rules.tabulate_coverage.output,
        figures("field_coverage"),
    localrule: True


rule learn_posteriors:
    input:
        lambda wildcards: require_ranges() or expand([*rules.calibrate_posterior.output], data_vector=DATA_VECTORS),
        figures("sbi_triangle"),
    localrule: True


rule compare_with_field:
    input:
        lambda wildcards: require_ranges() or expand([*rules.compare_mocks.output], data_vector=DATA_VECTORS),
        rules.check_coverage.input,
    localrule: True


rule compare_posteriors:
    input:
        expand([*rules.sample_posterior.output], data_vector=DATA_VECTORS),
        figures("posteriors"),
    localrule: True


rule check_derivatives:
    input:
        rules.compare_derivatives.output.summary,
        figures("check_derivatives"),
    localrule: True


rule train_correction:
    input:
        rules.train_hpn.output,
        rules.fit_pgd.output.weights,
        expand(rules.figure_of_training.output.figure, training_figure="loss"),
    localrule: True


rule validate_matter:
    input:
        rules.tabulate_matter.output,
        expand(
            rules.figure_of_training.output.figure,
            training_figure=[name for name in TRAINING_FIGURES if name != "loss"],
        ),
    localrule: True


rule validate_tomography:
    input:
        rules.compare_tomography.output,
        figures("validation_tomography", "validation_tomography_derivatives"),
    localrule: True


rule validate_lensing:
    input:
        rules.compare_lensing.output.table,
        figures(*validation_figures()),
    localrule: True


rule validate_projection:
    input:
        rules.compare_projection.output.table,
        figures("validation_projection"),
    localrule: True


rule validate:
    input:
        rules.validate_lensing.input,
        rules.validate_projection.input,
        rules.validate_matter.input,
    localrule: True
