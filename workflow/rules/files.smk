def seeds_of(wildcards):
    """Seeds of a batch, which its name says."""
    first, last = map(int, wildcards.batch.split("_")[1:])
    return list(range(first, last + 1))


def batches(pattern, section, **wildcards):
    """The pattern's files of all batches of a section of the config."""
    return expand(pattern, batch=EXPERIMENT.batches[section], **wildcards)


def kept_seeds(section):
    """Seeds that are not left out, by batch."""
    left_out = EXPERIMENT.left_out_seeds
    return {
        batch: [seed for seed in seeds if seed not in left_out] for batch, seeds in EXPERIMENT.batches[section].items()
    }


def stored(simulated):
    """A file of maps or planes, which is deleted after the last job that reads it where the config says so."""
    return temp(simulated) if EXPERIMENT.simulated == "temporary" else simulated


def files_of_maps(campaign):
    """Files that a description of maps of another code names."""
    shifted = [*campaign.maps, *(file for each in campaign.differences.values() for file in (*each.plus, *each.minus))]
    return shifted + ([campaign.survey.depth.file] if campaign.survey.depth.kind == "map" else [])


def caption_file(name):
    """File with a caption for the report of snakemake, wherever the rule is."""
    return str(SCRIPTS.parent / "report" / f"{name}.rst")


def reported_table(path, name, category="Forecast", **labels):
    """A table that the report of snakemake shows, with the caption of its kind."""
    return report(path, caption=caption_file(name), category=category, labels={"table": name, **labels})


def gathered_files():
    """What lies between maps and tables: a target, since snakemake does not miss what nothing asks for."""
    return [] if MERGED else [*rules.gather.input, *rules.gather.output]


def level_files():
    """Boxes at coarser resolutions."""
    pattern = rules.measure_coarser.output.summaries
    return [
        file for level in LEVELS for section in level_sections(level) for file in batches(pattern, section, level=level)
    ]


def level_sections(level):
    """Sections of the config whose boxes a level of resolution has."""
    return ["resolution", "coarse_only"] if level == "particles" else ["resolution"]


def theory_files():
    """Forecasts with the derivatives of theory, which needs CAMB."""
    return expand([*rules.compare_theory.output], data_vector=THEORY_VECTORS) if THEORY else []


REPORT_TABLES = ["parameters", "estimators", "directions", "resolution", "bins"]


def report_files():
    """The report of the run, and its forecasts in the formats of other codes."""
    return [rules.write_report.output.page, *rules.export.output]


def forecast_files():
    """Matrices and all tables of the forecasts."""
    return expand([*rules.forecast.output], data_vector=DATA_VECTORS)


def forecast_tables():
    """Errors of all data vectors."""
    return expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS)
