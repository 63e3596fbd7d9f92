import os
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import update_config

from lenscast import experiment, trained
from lenscast.code_hash import code_hash
from lenscast.experiment import disk, memory
from lenscast.experiment.command_line import unquotable
from lenscast.experiment.observation import observation
from lenscast.experiment.experiment import Experiment
from lenscast.report.captions import CAPTIONS
from lenscast.parameters import COSMOLOGICAL, PARAMETERS, expanded, stem
from lenscast.sections.input_file import content_hash
from lenscast.statistics.registry import code_object

# huge pages where the system lends them: kappa with six tangents takes a sixth less; read when a job's Python starts
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")

config_files = [Path(path) for path in workflow.configfiles]
for line in unquotable(
    [
        *(("config", path) for path in config_files),
        ("working directory", Path.cwd()),
        ("Snakefile", workflow.main_snakefile),
    ],
    workflow.config_settings.config or {},
):
    raise WorkflowError(line)
config_name = ", ".join(map(str, config_files)) or "config"
try:
    # snakemake has read them by the rules of YAML 1.1, in which the last of two equal keys counts
    strictly_read = {}
    for path in config_files:
        update_config(strictly_read, experiment.read_yaml(path))
except experiment.ConfigError as error:
    raise WorkflowError(str(error)) from None
update_config(strictly_read, workflow.config_settings.config or {})
config.clear()
config.update(strictly_read)

training = config.pop("training", workflow.source_path("../../configs/training.yaml"))
others = config.pop("compare", "")
merged = config.pop("merge", "")
ARRAYS = str(config.pop("arrays", ""))
AREA_RATIO = config.pop("area_ratio", None)
FOREIGN_MAPS = str(config.pop("maps", ""))
REANALYSIS = f"results/reanalysis/{Path(ARRAYS).stem}"
try:
    complete = experiment.complete(config, config_name, config_files[0].parent if config_files else Path())
    TRAINING = experiment.read_training(training)
    EXPERIMENT = experiment.load(complete, config_name)
except experiment.ConfigError as error:
    raise WorkflowError(str(error)) from None
if workflow.is_main_process:
    logger.info(experiment.described_sources(EXPERIMENT))
    if on_devices := experiment.described_devices(EXPERIMENT):
        logger.info(on_devices)
    for remark in experiment.remarks(EXPERIMENT):
        logger.warning(remark)
# jobs and provenance have the complete config, whatever base it was given on
config.clear()
config.update(complete)
if merged:
    config["merge"] = merged  # in the provenance: it takes it to make a merged run again

RESULTS = f"results/{EXPERIMENT.run}"
DATA_VECTORS = list(EXPERIMENT.forecast.data_vectors)
ROLES = {name: "trained on" if name in TRAINING.references else "held out" for name in TRAINING.simulations}
TRAINED = f"results/training/{TRAINING.run}"
OTHER_RUNS = [name for name in str(others).split(",") if name]
MERGED = [name for name in str(merged).split(",") if name]
for name in OTHER_RUNS + MERGED:
    if not re.fullmatch(r"[A-Za-z]\w{0,99}", name, re.ASCII):
        raise WorkflowError(f"{name!r} is no name of a run; give letters, digits and _, with commas between runs")
THEORY = find_spec("camb") is not None
SACC = find_spec("sacc") is not None
SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
STATISTICS = list(EXPERIMENT.statistics)
PLANE_TANGENTS = [name for name in EXPERIMENT.tangents if name in COSMOLOGICAL]
SPECTRUM = next((name for name, each in EXPERIMENT.statistics.items() if each.is_plain_spectrum), None)
"""The statistic that theory knows: the power spectrum of the maps as they are."""


LEVELS = [] if MERGED else list(EXPERIMENT.resolution.levels)
THEORY_VECTORS = [name for name, each in EXPERIMENT.forecast.data_vectors.items() if [*each] == [SPECTRUM]]
"""Data vectors that theory knows."""


wildcard_constraints:
    cosmology="|".join(EXPERIMENT.cosmologies),
    batch=r"seeds_\d+_\d+",  # not all names, which would be tried one by one for every job
    data_vector="|".join(DATA_VECTORS),
    reference="|".join(TRAINING.simulations),


@cache
def code(script, *objects):
    """Hash of the code that a script reaches, and of the named objects, which it loads by name."""
    return code_hash(SCRIPTS / f"{script}.py", *objects)


def statistics_code(names, statistics=EXPERIMENT.statistics):
    """Where the code of some statistics is."""
    return [found for name in names if (found := code_object(statistics[name]))]


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


def weights_made_here(correction):
    """The file of weights that this workflow makes: an input of what simulates.

    Other files of the config are no inputs, which count by date and path: their hashes are in the settings of rules.
    """
    name = getattr(correction, "weights", "")
    return [str(name)] if name in (f"{TRAINED}/hpn.json", f"{TRAINED}/pgd.json") else []


def settings_of(described, *names):
    """Sections of an experiment with hashes of files in place of paths, but for the weights that are made here."""
    sections = described.settings(*names)
    for made_here in weights_made_here(described.simulation.correction) if "simulation" in names else []:
        sections["simulation"]["correction"]["weights"] = made_here
    return sections


def check_weights():
    """Refuse weights that are not there and that another training would have made."""
    name = getattr(EXPERIMENT.simulation.correction, "weights", "")
    if trained.is_path(name) and not weights_made_here(EXPERIMENT.simulation.correction):
        try:
            trained.content(name)
        except ValueError as error:
            raise WorkflowError(f"simulation.correction: {error}") from None


check_weights()


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


def plane_settings(described, values):
    """What lens planes without baryons depend on."""
    sections = settings_of(described, "simulation", "lightcone")
    return {
        "cosmology": {name: values[name] for name in COSMOLOGICAL},
        "simulation": sections["simulation"],
        "lightcone": {key: sections["lightcone"][key] for key in ("slabs_per_box", "planes", "plane_mesh")},
    }


def settings_of_maps(described, values):
    """What maps depend on."""
    sections = settings_of(described, "lightcone", "survey", "systematics")
    return {
        **plane_settings(described, values),
        "systematics": {name: values[name] for name in values if name not in COSMOLOGICAL and not in_map(name)},
        "lightcone": sections["lightcone"],
        "sources": sections["survey"]["sources"],
        "alignment": {key: sections["systematics"][key] for key in ("z_pivot", "C1_rho_crit")},
    }


def settings_of_statistics(described, values, names=STATISTICS):
    """What the summaries of given maps depend on."""
    sections = settings_of(described, "lightcone", "survey", "statistics")
    return {
        "in_map": {name: value for name, value in values.items() if in_map(name)},
        # the code of a statistic has a hash of its own, which comments do not change
        "statistics": {name: {**sections["statistics"][name], "file": None} for name in names},
        "border": observation(described).region.border,
        "pixels": described.lightcone.pixels,
        "field_deg": described.lightcone.field_deg,
        "sigma_e": described.survey.sigma_e,
        "n_gal": list(described.survey.n_gal),
        "depth": sections["survey"]["depth"],
    }


def in_map(parameter):
    """Whether a parameter enters in the map itself, so that maps do not depend on it."""
    return PARAMETERS[stem(parameter)].enters == "map"


@cache
def map_settings(cosmology):
    """What the maps of a cosmology depend on."""
    return settings_of_maps(EXPERIMENT, EXPERIMENT.cosmologies[cosmology])


def without_number(settings):
    """What the views of boxes depend on: what maps do but for their number in files."""
    return settings | {"lightcone": {k: v for k, v in settings["lightcone"].items() if k != "realisations_per_box"}}


MOCKS_PER_JOB = 8


def field_settings():
    """What a chain of the field level depends on besides the forecast."""
    return {
        **map_settings("fiducial"),
        "in_map": {name: value for name, value in EXPERIMENT.fiducial.items() if in_map(name)},
        "survey": settings_of(EXPERIMENT, "survey")["survey"],
        "priors": EXPERIMENT.priors,
        "chains": {name: getattr(EXPERIMENT.field_level, name) for name in ("seed", "sampler", "warmup", "draws")},
    }


def design_settings():
    """Which parameters the boxes of simulation-based inference have, and how often their maps are measured."""
    section = settings_of(EXPERIMENT, "simulation_based")["simulation_based"]
    kept = ("first_seed", "boxes", "noise_realisations", "ranges", "seed")
    return {name: section[name] for name in kept} | {
        "parameters": list(EXPERIMENT.parameters),
        "priors": EXPERIMENT.priors,
    }


def require_ranges():
    """Refuse to simulate a prior that the config does not give."""
    if not EXPERIMENT.simulation_based.ranges:
        raise WorkflowError(
            "simulation_based.ranges: missing; give [lower end, upper end] of the prior of each of forecast.parameters, "
            "as configs/sbi.yaml does"
        )


def learning_settings():
    """What a learnt posterior depends on besides the data of its boxes and the forecast."""
    section = settings_of(EXPERIMENT, "simulation_based")["simulation_based"]
    return {name: section[name] for name in ("held_out", "compression", "flow", "seed")}


def mock_jobs():
    """Numbers of the first and the last mock of each job."""
    number = EXPERIMENT.field_level.mocks
    return [f"{first}_{min(first + MOCKS_PER_JOB, number) - 1}" for first in range(0, number, MOCKS_PER_JOB)]


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


HASHES = {"maps": code("differentiate"), "statistics": code("measure_derivatives", *statistics_code(STATISTICS))}


def stored(simulated):
    """A file of maps or planes, which is deleted after the last job that reads it where the config says so."""
    return temp(simulated) if EXPERIMENT.simulated == "temporary" else simulated


def gather_memory(wildcards):
    """Megabytes: three copies of what is gathered, and what imports take."""
    return 2000 + round(3 * disk.gathered_bytes(EXPERIMENT) / 1e6)


def theory_steps():
    """Steps of the differences of theory, which is smooth but good to 1e-4 only: wide ones."""
    steps = {name: 5 * step for name, step in EXPERIMENT.steps.items() if name in COSMOLOGICAL}
    for name in PARAMETERS:  # in the order of the table
        if name in EXPERIMENT.forecast.parameters and name not in COSMOLOGICAL:
            steps |= dict.fromkeys(expanded(name, EXPERIMENT.sources), PARAMETERS[name].step)
    return steps


def growing(amount):
    """A resource of which each attempt after a failure gets as much more as the first one got."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def simulation_memory(tangents):
    """Megabytes of a job that simulates: the planes and their tangents, and what compiling takes."""
    return 2000 + round(memory.plane_bytes(EXPERIMENT.lightcone, tangents) / 1e6)


def gathered_files():
    """What lies between maps and tables: a target, since snakemake does not miss what nothing asks for."""
    return [] if MERGED else [*rules.gather.input, *rules.gather.output]


def level_files():
    """Boxes at coarser resolutions."""
    return batches(rules.measure_coarser.output.summaries, "resolution", level=LEVELS) if LEVELS else []


def theory_tables():
    """Forecasts with the derivatives of theory, which needs CAMB."""
    return expand(rules.compare_theory.output.parameters, data_vector=THEORY_VECTORS) if THEORY else []


REPORT_TABLES = ["parameters", "estimators", "directions", "resolution"]


def errors_and_report():
    """The last screen: errors of all data vectors with verdicts, bins that are not Gaussian, and where the report is."""
    import pandas  # here: every job reads this file

    from lenscast.fisher.shown_tables import screen_bins, screen_table

    title = "\nErrors with priors, and their 68 % limits:\n"
    targets = {*workflow.dag_settings.targets} - {"all", "merge"}
    if "reanalyse" in targets:
        tables = pandas.read_csv(f"{REANALYSIS}/parameters.csv").groupby("data_vector", sort=False)
        return f"{title}{screen_table(dict(iter(tables)))}\n\nTables and figures are in {REANALYSIS}"
    if "measure_maps" in targets:
        return f"Data vectors and derivatives are in results/{MAP_CAMPAIGN.run}"
    if targets & {"train_correction", "validate_matter"}:
        return f"Weights, tables and figures are in {TRAINED}"
    if targets & {"sample_field", "check_coverage"}:
        return f"Tables are in {RESULTS}/field_level, figures in {RESULTS}/figures"
    if targets == {"learn_posteriors"}:
        return f"Tables are in {RESULTS}/simulation_based, the figure is {RESULTS}/figures/sbi_triangle.png"
    if targets == {"compare_posteriors"}:
        return f"Tables are in {RESULTS}/posterior, the figure is {RESULTS}/figures/posteriors.png"
    if targets or not all(Path(table).exists() for table in forecast_tables()):
        return f"Figures are in {RESULTS}/figures, tables in {RESULTS}/fisher"
    tables = {name: pandas.read_csv(path) for name, path in zip(DATA_VECTORS, forecast_tables())}
    bins = screen_bins({name: pandas.read_csv(f"{RESULTS}/fisher/{name}_bins.csv") for name in DATA_VECTORS})
    page = f"Report: {Path(RESULTS, 'report.html').absolute()}"
    return "\n\n".join([f"{title}{screen_table(tables)}", *([bins] if bins else []), page])


def report_files():
    """The report of the run, and its forecasts in the formats of other codes."""
    return [rules.write_report.output.page, *rules.export.output]


def forecast_tables():
    """Tables of all data vectors."""
    return expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS)
