"""Command line: start a folder, run the workflow in it, print the complete config behind a file or the JSON schema.

lenscast init my_forecast
lenscast run
lenscast run my.yaml --dry-run
lenscast config show my.yaml
lenscast config show configs/training.yaml training
lenscast config schema > workflow/schemas/config.schema.json
lenscast config schema training > workflow/schemas/training.schema.json
"""

import argparse
import json
import sys
from pathlib import Path

from lenscast.experiment import ConfigError, Experiment, Training, json_schema, load, read, read_training, shipped
from lenscast.experiment.strict_yaml import dumped
from lenscast.launcher import initialise, run

MODELS = {"experiment": Experiment, "training": Training}


def main(words: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    words
        Words after the name of the command; by default those that the command was started with.

    Returns
    -------
    Exit status: 0, or 1 for a config with errors and a folder that is in use.

    Raises
    ------
    SystemExit
        At the end of `run`, with the exit status of Snakemake, and for words that the command does not take.
    """
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["run"] and words[1:2] not in (["-h"], ["--help"]):
        run(words[1:])  # most words are Snakemake's
    arguments = _parser().parse_args(words)
    if arguments.subject == "init":
        return _initialise(arguments.folder)
    if arguments.verb == "schema":
        print(json.dumps(json_schema(MODELS[arguments.model]), indent=2))
        return 0
    try:
        values = _read(arguments.file, arguments.model).model_dump(mode="json", exclude_none=True)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(dumped(values), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    """Words that the command takes."""
    parser = argparse.ArgumentParser(prog="lenscast", description="Fisher forecasts of weak-lensing statistics")
    subjects = parser.add_subparsers(dest="subject", required=True)
    init = subjects.add_parser("init", help="write config.yaml, profiles and a Snakefile")
    init.add_argument("folder", nargs="?", type=Path, default=Path(), help="where to, by default this folder")
    running = subjects.add_parser("run", help="run the workflow in this folder")
    running.add_argument("config", nargs="?", help="YAML file, by default config.yaml")
    running.add_argument("arguments", nargs="*", help="targets and options of snakemake, such as --dry-run")
    config = subjects.add_parser("config", help="configs")
    verbs = config.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser("show", help="print the complete, checked config behind a file")
    show.add_argument("file", help=f"YAML file, or one of {', '.join(shipped())}")
    schema = verbs.add_parser("schema", help="print the JSON schema of configs")
    for verb in (show, schema):
        verb.add_argument("model", nargs="?", choices=MODELS, default="experiment", help="what the config describes")
    return parser


def _initialise(folder: Path) -> int:
    """Write the files of a new folder, and say which."""
    try:
        made = initialise(folder)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{', '.join(map(str, made))} written; next: {'' if folder == Path() else f'cd {folder} && '}lenscast run")
    return 0


def _read(name: str, model: str) -> Experiment | Training:
    """The experiment or training of a file, or a shipped experiment."""
    if model == "training":
        return read_training(name)
    return load({"base": name}) if name in shipped() and not Path(name).is_file() else read(name)


if __name__ == "__main__":
    sys.exit(main())
