FIRST_DERIVATIVES = next(iter(EXPERIMENT.batches["derivatives"]))
FIRST_AND_LAST = list(dict.fromkeys([DATA_VECTORS[0], DATA_VECTORS[-1]]))


def figure_of(function, inputs, **settings):
    """An entry of the table of figures: function of lenscast.figures or module:function, files, and settings."""
    figures, _, name = function.rpartition(":")
    return SimpleNamespace(function=f"lenscast.{figures or 'figures'}:{name}", inputs=inputs, settings=settings)


def theory_table():
    return rules.theory.output.table if THEORY and SPECTRUM else []


def gathered():
    return {"summaries": GATHERED.output.summaries, "jacobians": GATHERED.output.jacobians}


def fisher(output, data_vectors=DATA_VECTORS):
    return expand(getattr(rules.forecast.output, output), data_vector=data_vectors)


def first_maps(variant):
    return batches(rules.simulate_validation.output.maps, "validation", variant=variant)[0]


FIGURES = {
    "maps": figure_of(
        "maps",
        lambda: {"tangents": expand(rules.look.output.maps, cosmology="fiducial", batch=FIRST_DERIVATIVES)},
    ),
    **{
        name: figure_of(
            "spectrum" if EXPERIMENT.statistics[name].is_spectrum else "counts",
            lambda name=name: gathered() | {"theory": theory_table() if name == SPECTRUM else []},
            statistic=name,
        )
        for name in STATISTICS
    },
    "derivatives": figure_of("derivatives", lambda: gathered() | {"theory": theory_table()}),
    "correlation": figure_of("correlation", lambda: {"forecast": fisher("forecast")[-1]}),
    "triangle": figure_of(
        "triangle",
        lambda: {"forecasts": fisher("forecast"), "estimators": fisher("estimators")},
        data_vectors=DATA_VECTORS,
    ),
    "posteriors": figure_of(
        "posterior_figures:posteriors",
        lambda: {
            "chains": expand(rules.sample_posterior.output.chains, data_vector=DATA_VECTORS),
            "tables": expand(rules.sample_posterior.output.table, data_vector=DATA_VECTORS),
            "forecasts": fisher("forecast"),
        },
        data_vectors=DATA_VECTORS,
    ),
    "field_posterior": figure_of(
        "posterior_figures:field_posterior",
        lambda: {
            "chains": rules.diagnose_chains.input.chains,
            "table": rules.diagnose_chains.output.table,
            "forecasts": fisher("forecast"),
        },
        data_vectors=DATA_VECTORS,
    ),
    "field_recovery": figure_of(
        "posterior_figures:field_recovery", lambda: {"table": rules.diagnose_chains.output.recovery}
    ),
    "field_coverage": figure_of(
        "posterior_figures:field_coverage",
        lambda: {"mocks": rules.tabulate_coverage.input.mocks, "table": rules.tabulate_coverage.output.recovery},
    ),
    "sbi_triangle": figure_of(
        "posterior_figures:sbi_triangle",
        lambda: {
            name: expand(getattr(rules.calibrate_posterior.output, name), data_vector=DATA_VECTORS)
            for name in ("draws", "ranks")
        }
        | {"forecasts": fisher("forecast")},
        data_vectors=DATA_VECTORS,
    ),
    "systematics": figure_of(
        "systematics",
        lambda: {
            "forecasts": fisher("forecast", FIRST_AND_LAST),
            "estimators": fisher("estimators", FIRST_AND_LAST),
        },
        data_vectors=FIRST_AND_LAST,
        nuisance=list(EXPERIMENT.nuisance),
    ),
    "reliability": figure_of("reliability", lambda: {"curves": fisher("reliability")}, data_vectors=DATA_VECTORS),
    "matter_power": figure_of("matter_power", lambda: {"table": rules.matter_power.output.table}, seeds=MATTER_SEEDS),
    "check_derivatives": figure_of("check_derivatives", lambda: {"tables": rules.compare_derivatives.output.tables}),
    "validation_power_spectrum": figure_of("validation_spectra", lambda: {"table": rules.compare_lensing.output.table}),
    "validation_counts": figure_of("validation_counts", lambda: {"table": rules.compare_lensing.output.table}),
    "validation_projection": figure_of(
        "validation_projection",
        lambda: {
            "table": rules.compare_projection.output.table,
            "maps": [first_maps(name) for name in PROJECTIONS],
        },
    ),
    "validation_tomography": figure_of(
        "tomography", lambda: {"components": rules.compare_tomography.output.components}
    ),
    "validation_tomography_derivatives": figure_of(
        "tomography_derivatives", lambda: {"derivatives": rules.compare_tomography.output.derivatives}
    ),
}
"""Figures of a run by name."""


def matter_files(kind, reference):
    compared = rules.compare_matter.output
    tables = {"table": expand(compared.table, reference=reference)[0]} if kind == "matter" else {}
    return {"slices": expand(compared.slices, reference=reference)[0], **tables}


TRAINING_FIGURES = {"loss": figure_of("loss", lambda: {"history": rules.train_hpn.output.history})}
for reference in ROLES:
    title = matter_title(reference)
    TRAINING_FIGURES[f"matter/{reference}"] = figure_of(
        "matter", lambda name=reference: matter_files("matter", name), title=title, a=[0.3, 0.5, 0.7, 1.0]
    )
    TRAINING_FIGURES[f"slices/{reference}"] = figure_of(
        "slices", lambda name=reference: matter_files("slices", name), title=title
    )
"""Figures of the training and validation of corrections by name."""


def settings_of_figure(entry):
    """What a figure depends on besides its files."""
    simulation = settings_of(EXPERIMENT, "simulation")["simulation"]
    return {"described": summary_settings(), "simulation": simulation, "function": entry.function}


def caption_of(entry):
    """Category, title and text of a figure."""
    return CAPTIONS[entry.function.partition(":")[2]]


def labels_of_figure(name, figures):
    """What the report of snakemake lists of a figure."""
    return {"figure": caption_of(figures[name]).title, "of": name.replace("_", " ")}


FORECAST_FIGURES = [
    *STATISTICS,
    "derivatives",
    "correlation",
    "triangle",
    "reliability",
    *((not MERGED) * ["maps"]),
    *(THEORY * ["matter_power"]),  # which shows theory
    *(bool(EXPERIMENT.nuisance) * ["systematics"]),
]
"""Names of the figures of a forecast."""


def forecast_figures():
    """Figures of the forecast."""
    return expand(rules.figure.output.figure, figure=FORECAST_FIGURES)


def figures(*names):
    return expand(rules.figure.output.figure, figure=names)


def validation_figures():
    """Figures of the validation of maps, for the kinds of statistics that there are."""
    kinds = {EXPERIMENT.statistics[name].is_spectrum for name in COMPARED}
    return [
        name for name, kind in {"validation_power_spectrum": True, "validation_counts": False}.items() if kind in kinds
    ]
