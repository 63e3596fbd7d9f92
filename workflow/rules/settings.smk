@cache
def code(script, *objects):
    """Hash of the code that a script reaches, and of the named objects, which it loads by name."""
    return code_hash(SCRIPTS / f"{script}.py", *objects, store=Path(".cache/code.json"))


def statistics_code(names, statistics=EXPERIMENT.statistics):
    """Where the code of some statistics is."""
    return [found for name in names if (found := code_object(statistics[name]))]


HASHES = {"maps": code("differentiate"), "statistics": code("measure_derivatives", *statistics_code(STATISTICS))}


def weights_made_here(correction):
    """The file of weights that this workflow makes: an input of what simulates.

    Other files of the config are no inputs, which count by date and path: their hashes are in the settings of rules.
    """
    name = str(getattr(correction, "weights", ""))
    return [name] if name in MADE_HERE else []


def check_weights():
    """Refuse weights that are not there and that another training would have made."""
    name = getattr(EXPERIMENT.simulation.correction, "weights", "")
    if trained.is_path(name) and not weights_made_here(EXPERIMENT.simulation.correction):
        try:
            trained.content(name)
        except ValueError as error:
            raise WorkflowError(f"simulation.correction: {error}") from None


check_weights()

settings_of = partial(dependence.sections, made_here=MADE_HERE)
plane_settings = partial(dependence.planes, made_here=MADE_HERE)
settings_of_maps = partial(dependence.maps, made_here=MADE_HERE)
settings_of_statistics = dependence.summaries


def made_by(*made, **wildcards):
    """Parameters of the rules that a file went through, as its provenance has them."""
    wildcards = SimpleNamespace(**{"cosmology": "fiducial"} | wildcards)
    return {
        each.rule.name: {
            name: value(wildcards) if callable(value) else value
            for name, value in each.params.items()
            if name not in ("code", "hashes", "seeds")
        }
        for each in made
    }


@cache
def map_settings(cosmology):
    """What the maps of a cosmology depend on."""
    return settings_of_maps(EXPERIMENT, EXPERIMENT.cosmologies[cosmology])


@cache
def level_settings(level, settings):
    """What the boxes of a level of resolution depend on, by a function of an experiment and its parameters."""
    return settings(EXPERIMENT.coarser(level), EXPERIMENT.fiducial)


@cache
def summary_settings(cosmology="fiducial"):
    """What the summaries of the maps of a cosmology depend on."""
    return settings_of_statistics(EXPERIMENT, EXPERIMENT.cosmologies[cosmology])


def spectrum_settings():
    """What the power spectrum alone depends on, which theory knows."""
    return settings_of_statistics(EXPERIMENT, EXPERIMENT.fiducial, [SPECTRUM])


def theory_steps():
    """Steps of the differences of theory, which is smooth but good to 1e-4 only: wide ones."""
    steps = {name: 5 * step for name, step in EXPERIMENT.steps.items() if name in COSMOLOGICAL}
    for name in PARAMETERS:  # in the order of the table
        if name in EXPERIMENT.forecast.parameters and name not in COSMOLOGICAL:
            steps |= dict.fromkeys(expanded(name, EXPERIMENT.sources), PARAMETERS[name].step)
    return steps
