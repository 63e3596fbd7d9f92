"""The words of a call of snakemake, checked before it reads a config: profiles/*/profile.yaml call `check_words`."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lenscast.experiment.strict_yaml import read_yaml
from lenscast.sections.errors import ConfigError

__all__ = ["check_words", "detail_is_wanted", "unquotable"]

CONFIGFILE = ("--configfile", "--configfiles")
SUFFIXES = (".yaml", ".yml", ".json")
ACTIVE = "$`\\\n\r"
"""What a shell acts on inside the double quotes in which Slurm gets the command of a job."""

QUOTES = "'\""
"""What ends the quotes around values of --config."""


def check_words(words: Sequence[str] | None = None) -> None:
    """End with a line where a config is none: snakemake itself ends with a traceback.

    Its option --configfile takes all words up to the next option, so that a target after it counts as a config.

    Parameters
    ----------
    words
        Words after the name of the command; by default those of this process.

    Raises
    ------
    SystemExit
        With the line, and what to give.
    """
    words = sys.argv[1:] if words is None else words
    configs = [*_configs(words)]
    targets = [each for each in configs if not each.endswith(SUFFIXES)]
    others = [each for each in configs if each not in targets]
    if targets and others:
        raise SystemExit(
            f"{', '.join(targets)} follows --configfile, which takes all words up to the next option for configs; give "
            f"targets first: snakemake {shlex.join(targets)} --configfile {shlex.join(others)}"
        )
    for each in configs:
        try:
            found = read_yaml(each)
        except ConfigError as error:
            raise SystemExit(str(error)) from None
        if not isinstance(found, Mapping):
            raise SystemExit(f"{each}: no mapping of sections; give a config, as configs/ has them")
        if "__use_yte__" in found:  # which lets snakemake run what the file holds as Python
            raise SystemExit(f"{each}: __use_yte__ given; configs have values and no code, remove it")


def detail_is_wanted(words: Sequence[str] | None = None) -> bool:
    """Whether a call asks for all that Snakemake says of each job, which its own logger prints.

    Parameters
    ----------
    words
        Words after the name of the command; by default those of this process.
    """
    return not {"-p", "--printshellcmds", "--verbose"}.isdisjoint(sys.argv[1:] if words is None else words)


def unquotable(paths: Iterable[tuple[str, str | Path]], values: Mapping[str, object]) -> Iterator[str]:
    """Lines on what jobs get as words of a command and a shell on the way would act on.

    Parameters
    ----------
    paths
        What each path is of, and the path.
    values
        Values of --config by key.
    """
    for what, path in paths:
        if found := [character for character in ACTIVE if character in str(path)]:
            yield f"{what} {str(path)!r} has {_named(found)}, which a shell on the way to a job would act on; rename it"
    for key, value in values.items():
        if found := [character for character in ACTIVE + QUOTES if character in str(value)]:
            yield (
                f"--config {key}={str(value)!r} has {_named(found)}, which a shell on the way to a job would act on; "
                "give another value"
            )


def _configs(words: Sequence[str]) -> Iterator[str]:
    """Words that snakemake takes for configs."""
    taking = False
    for word in words:
        name, _, value = word.partition("=")
        if name in CONFIGFILE:
            taking = True
            if value:
                yield value
        elif word.startswith("-"):
            taking = False
        elif taking:
            yield word


def _named(characters: Sequence[str]) -> str:
    """Characters as a reader sees them."""
    return " and ".join(repr(each)[1:-1] if each in "\n\r" else each for each in characters)
