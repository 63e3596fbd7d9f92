import ast
import hashlib
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

from lenscast import config as experiment
from lenscast import weights
from lenscast.config import disk

# huge pages where the system lends them: kappa with six tangents takes a sixth less; read when a job's Python starts
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")

training = config.pop("training", workflow.source_path("../../configs/training.yaml"))
others = config.pop("compare", "")
merged = config.pop("merge", "")
try:
    CONFIG = experiment.load_config(config, ", ".join(map(str, workflow.configfiles)) or "config")
    TRAINING = experiment.read_training(training)
except experiment.ConfigError as error:
    raise WorkflowError(str(error)) from None
if merged:
    config["merge"] = merged  # in the provenance: it takes it to make a merged run again

SETTINGS = CONFIG.model_dump(mode="json")
RESULTS = f"results/{CONFIG.run}"
DATA_VECTORS = list(CONFIG.forecast.data_vectors)
ROLES = {name: "trained on" if name in TRAINING.references else "held out" for name in TRAINING.simulations}
TRAINED = f"results/training/{TRAINING.run}"
TRAINING_SETTINGS = TRAINING.model_dump(mode="json")
OTHER_RUNS = [name for name in str(others).split(",") if name]
MERGED = [name for name in str(merged).split(",") if name]
BIASES = experiment.of_sources("m", CONFIG.survey.sources.number)
TANGENTS = [name for name in CONFIG.forecast.parameters if name != "m"]
NUISANCE = [name for name in CONFIG.parameters if name not in experiment.PARAMETERS]
SYSTEMATIC_STEPS = {"A_IA": 0.1, "eta": 0.1, "log10_T_AGN": 0.1, "delta_z": 0.01, "m": 0.01}  # of theory
THEORY = find_spec("camb") is not None
CORRECTION = SETTINGS["simulation"]["correction"]


wildcard_constraints:
    cosmology="|".join(CONFIG.cosmologies),
    batch=r"seeds_\d+_\d+",  # not all names, which would be tried one by one for every job
    data_vector="|".join(DATA_VECTORS),
    reference="|".join(TRAINING.simulations),


def sources(*parts):
    """Hash of the code that a rule's result depends on; comments, docstrings and layout leave it alone."""
    package = Path(find_spec("lenscast").origin).parent
    digest = hashlib.sha1()
    for part in parts:
        files = sorted((package / part).rglob("*.py")) or [package / f"{part}.py"]
        for file in files:
            digest.update(_without_docstrings(file).encode())
    return digest.hexdigest()


@cache
def _without_docstrings(file):
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(getattr(body[0].value, "value", None), str):
                body[0].value.value = ""
    return ast.dump(tree)


def sources_file():
    """The file of redshift distributions, if there is one: an input of what simulates."""
    return [file for key, file in SETTINGS["survey"]["sources"].items() if key == "file"]


def weights_file(correction):
    """The file of weights that do not come with the package: an input of what simulates."""
    name = correction.get("weights", "")
    return [name] if weights.is_path(name) else []


MAP_CODE = sources("numerics", "cosmology", "gravity", "lensing", "simulate", "tangents", "batches")
SUMMARY_CODE = sources("numerics", "statistics", "summarise", "forecast/derivatives")
FORECAST_CODE = sources("forecast")
PLOT_CODE = sources("plotting")
TRAINING_CODE = sources("numerics", "cosmology", "gravity", "io/corrections")
HASHES = {"maps": MAP_CODE, "statistics": SUMMARY_CODE}

for missing in weights_file(CORRECTION):
    if missing not in (f"{TRAINED}/hpn.json", f"{TRAINED}/pgd.json"):  # which this workflow makes
        try:
            weights.content(missing)
        except ValueError as error:
            raise WorkflowError(f"simulation.correction: {error}") from None


def depth_file():
    """The map of the survey's depth: an input of what measures through it."""
    return [CONFIG.survey.depth.file] if CONFIG.survey.depth.kind == "map" else []


def seeds_of(wildcards):
    """Seeds of a batch, which its name says."""
    first, last = map(int, wildcards.batch.split("_")[1:])
    return list(range(first, last + 1))


def batches(pattern, section, **wildcards):
    """The pattern's files of all batches of a section of the config."""
    return expand(pattern, batch=CONFIG.batches[section], **wildcards)


def kept_seeds(section):
    """Seeds that are not left out, by batch."""
    left_out = CONFIG.left_out_seeds
    return {batch: [seed for seed in seeds if seed not in left_out] for batch, seeds in CONFIG.batches[section].items()}


def made_by(*made, cosmology="fiducial"):
    """Parameters of the rules that a file went through, as its provenance has them."""
    wildcards = SimpleNamespace(cosmology=cosmology)
    return {
        each.rule.name: {
            name: value(wildcards) if callable(value) else value
            for name, value in each.params.items()
            if name not in ("code", "hashes", "seeds")
        }
        for each in made
    }


def weights_hash(correction):
    """Hash of weights that come with the package: others of the same name run what depends on them again."""
    if correction["kind"] == "none" or weights_file(correction):
        return None
    return hashlib.sha1(weights.content(correction["weights"])).hexdigest()


@cache
def simulation_settings(cosmology):
    """What the maps of a cosmology depend on."""
    values = CONFIG.cosmologies[cosmology]
    return {
        "cosmology": {name: values[name] for name in experiment.PARAMETERS},
        "systematics": {name: values[name] for name in values if name not in experiment.PARAMETERS + BIASES},
        "simulation": SETTINGS["simulation"],
        "lightcone": SETTINGS["lightcone"],
        "sources": SETTINGS["survey"]["sources"],
        "alignment": {key: SETTINGS["systematics"][key] for key in ("z_pivot", "C1_rho_crit")},
        "weights": weights_hash(CORRECTION),
    }


@cache
def statistics_settings(cosmology="fiducial"):
    """What the summaries of given maps depend on."""
    return {
        "m": [CONFIG.cosmologies[cosmology][name] for name in BIASES],
        "statistics": SETTINGS["statistics"],
        "pixels": CONFIG.lightcone.pixels,
        "field_deg": CONFIG.lightcone.field_deg,
        "sigma_e": CONFIG.survey.sigma_e,
        "n_gal": CONFIG.survey.n_gal,
        "depth": SETTINGS["survey"]["depth"],
    }


def stored(maps):
    """A file of maps, which is deleted after the last job that reads it where the config says so."""
    return temp(maps) if CONFIG.maps == "temporary" else maps


def gather_memory(wildcards):
    """Megabytes: three copies of what is gathered, and what imports take."""
    return 2000 + round(3 * disk.gathered_bytes(CONFIG) / 1e6)


def theory_steps():
    """Steps of the differences of theory, which is smooth but good to 1e-4 only: wide ones."""
    steps = {name: 5 * step for name, step in CONFIG.steps.items() if name in experiment.PARAMETERS}
    for name in [name for name in SYSTEMATIC_STEPS if name in CONFIG.forecast.parameters]:
        steps |= dict.fromkeys(experiment.of_sources(name, CONFIG.survey.sources.number), SYSTEMATIC_STEPS[name])
    return steps


def spectrum_settings():
    """The power spectrum alone, which theory knows."""
    return statistics_settings() | {"statistics": {"power_spectrum": SETTINGS["statistics"]["power_spectrum"]}}


def growing(amount):
    """A resource of which each attempt after a failure gets as much more as the first one got."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def simulation_memory(tangents):
    """Megabytes of a job that simulates: three copies of the planes and their tangents, and what compiling takes."""
    lightcone = CONFIG.lightcone
    planes = 3 * lightcone.planes * lightcone.slabs_per_box * lightcone.plane_mesh**2 * 4e-6
    return 2000 + round(3 * planes * (1 + tangents))


def reference_settings(wildcards):
    """What a reference depends on; not on the steps of what learns from it, nor on its weight there."""
    method = {key: value for key, value in TRAINING_SETTINGS["simulation"].items() if key != "integrator"}
    wanted = TRAINING.simulations[wildcards.reference].model_dump(mode="json", exclude={"weight"})
    return {"cosmology": TRAINING_SETTINGS["cosmology"], "a": TRAINING_SETTINGS["a"], "simulation": method} | {
        "reference": wanted
    }


def reference_memory(wildcards):
    """Megabytes: fifteen fields on the finest mesh, and what compiling takes."""
    wanted = TRAINING.simulations[wildcards.reference]
    fine = wanted.particles * wanted.mesh_factor if wanted.kind == "particle_mesh" else 0
    return 3000 + round(15 * fine**3 * 4e-6)


def gathered_files():
    """What lies between maps and tables: a target, since snakemake does not miss what nothing asks for."""
    return [] if MERGED else [*rules.gather.input, *rules.gather.output]


def forecast_tables():
    """Tables of all data vectors."""
    return expand(rules.forecast.output.parameters, data_vector=DATA_VECTORS)


def forecast_figures():
    """Figures of the forecast; the matter power spectrum shows theory, so it needs CAMB."""
    names = ["power_spectrum", "peaks", "derivatives", "correlation", "triangle", "convergence"]
    names += (not MERGED) * ["maps"]
    names += THEORY * ["matter_power"] + bool(NUISANCE) * ["systematics"]
    return [f"{RESULTS}/figures/{name}.png" for name in names]


def figure_log(name):
    return f"{RESULTS}/logs/figure_{name}.log"


def matter_memory(wildcards):
    """Megabytes: 60 bytes per point of the mesh of spectra, 500 per particle, and what compiling takes."""
    wanted = TRAINING.simulations[wildcards.reference]
    particles = wanted.particles if wanted.kind == "particle_mesh" else 256
    return 2000 + round((60 * 8 + 500) * particles**3 / 1e6)


def matter_title(wildcards):
    """What a simulation is; its numbers come from its file."""
    name = wildcards.reference
    return f"{name} ({ROLES[name]}): {{particles:.0f}}$^3$ in {{box_size:.4g}} Mpc/$h$, $\\Omega_m$ = {{Omega_m:.4g}}"
