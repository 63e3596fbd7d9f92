wildcard_constraints:
    figure="|".join(FIGURES),
    training_figure="|".join(TRAINING_FIGURES),


localrules:
    figure,
    figure_of_training,


rule figure:
    input:
        unpack(lambda wildcards: FIGURES[wildcards.figure].inputs()),
    output:
        figure=f"{RESULTS}/figures/{{figure}}.png",
    log:
        f"{RESULTS}/logs/figure/{{figure}}.log",
    priority: 1  # that of maps reads some, as what measures does
    conda:
        "../../environment.yml"
    params:
        function=lambda wildcards: FIGURES[wildcards.figure].function,
        settings=lambda wildcards: FIGURES[wildcards.figure].settings,
        depends=lambda wildcards: settings_of_figure(FIGURES[wildcards.figure]),
        code=lambda wildcards: code("figure", FIGURES[wildcards.figure].function),
    script:
        "../scripts/figure.py"


use rule figure as figure_of_training with:
    input:
        unpack(lambda wildcards: TRAINING_FIGURES[wildcards.training_figure].inputs()),
    output:
        figure=f"{TRAINED}/figures/{{training_figure}}.png",
    log:
        f"{TRAINED}/logs/figure/{{training_figure}}.log",
    params:
        function=lambda wildcards: TRAINING_FIGURES[wildcards.training_figure].function,
        settings=lambda wildcards: TRAINING_FIGURES[wildcards.training_figure].settings,
        depends={},
        code=lambda wildcards: code("figure", TRAINING_FIGURES[wildcards.training_figure].function),
