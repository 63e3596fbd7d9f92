"""Command line: print the complete config behind a file, or the JSON schema of configs.

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

MODELS = {"experiment": Experiment, "training": Training}


def main(words: list[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    words
        Words after the name of the command; by default those that the command was started with.

    Returns
    -------
    Exit status: 0, or 1 for a config with errors.
    """
    arguments = _parser().parse_args(words)
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
    config = parser.add_subparsers(dest="subject", required=True).add_parser("config", help="configs")
    verbs = config.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser("show", help="print the complete, checked config behind a file")
    show.add_argument("file", help=f"YAML file, or one of {', '.join(shipped())}")
    schema = verbs.add_parser("schema", help="print the JSON schema of configs")
    for verb in (show, schema):
        verb.add_argument("model", nargs="?", choices=MODELS, default="experiment", help="what the config describes")
    return parser


def _read(name: str, model: str) -> Experiment | Training:
    """The experiment or training of a file, or a shipped experiment."""
    if model == "training":
        return read_training(name)
    return load({"base": name}) if name in shipped() and not Path(name).is_file() else read(name)


if __name__ == "__main__":
    sys.exit(main())
