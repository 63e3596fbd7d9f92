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
        figure=report(
            f"{RESULTS}/figures/{{figure}}.png",
            caption=caption_file("figure"),
            category=lambda wildcards: caption_of(FIGURES[wildcards.figure]).category,
            labels=lambda wildcards: labels_of_figure(wildcards.figure, FIGURES),
        ),
        pdf=f"{RESULTS}/figures/{{figure}}.pdf",
    log:
        f"{RESULTS}/logs/figure/{{figure}}.log",
    priority: 1  # that of maps reads some, as what measures does
    conda:
        "../envs/job.yaml"
    params:
        caption=lambda wildcards: caption_of(FIGURES[wildcards.figure]).text,
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
        figure=report(
            f"{TRAINED}/figures/{{training_figure}}.png",
            caption=caption_file("figure"),
            category=lambda wildcards: caption_of(TRAINING_FIGURES[wildcards.training_figure]).category,
            labels=lambda wildcards: labels_of_figure(wildcards.training_figure, TRAINING_FIGURES),
        ),
        pdf=f"{TRAINED}/figures/{{training_figure}}.pdf",
    log:
        f"{TRAINED}/logs/figure/{{training_figure}}.log",
    params:
        caption=lambda wildcards: caption_of(TRAINING_FIGURES[wildcards.training_figure]).text,
        function=lambda wildcards: TRAINING_FIGURES[wildcards.training_figure].function,
        settings=lambda wildcards: TRAINING_FIGURES[wildcards.training_figure].settings,
        depends={},
        code=lambda wildcards: code("figure", TRAINING_FIGURES[wildcards.training_figure].function),
