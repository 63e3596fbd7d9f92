import os
import re
import sys
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import update_config

from lenscast import experiment, trained
from lenscast.code_hash import code_hash
from lenscast.experiment import dependence, disk, memory
from lenscast.experiment.command_line import unquotable
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
MADE_HERE = (f"{TRAINED}/hpn.json", f"{TRAINED}/pgd.json")
"""Weights that this workflow makes."""

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


include: "settings.smk"
include: "files.smk"
include: "resources.smk"
