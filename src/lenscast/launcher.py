"""The workflow without a clone: files of a new folder, and a call of Snakemake with the workflow of the package."""

import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
SNAKEFILE = """# The workflow of the installed lenscast: `snakemake` in this folder does what `lenscast run` does.
from lenscast.launcher import workflow_files


include: str(workflow_files() / "workflow/Snakefile")


workflow.default_target = "all"
"""


def workflow_files() -> Path:
    """Folder of workflow/, configs/ and profiles/: in the installed package, or the clone of an editable one."""
    package = Path(__file__).parent
    installed = package / "share"
    return installed if installed.is_dir() else package.parents[1]


def initialise(folder: Path) -> list[Path]:
    """Write what a forecast starts from: the default config, the profiles and a Snakefile.

    Parameters
    ----------
    folder
        Where to; made if it does not exist.

    Returns
    -------
    What was written: config.yaml, profiles and Snakefile.

    Raises
    ------
    FileExistsError
        If the folder has one of them. Nothing is written then.
    """
    made = [folder / name for name in ("config.yaml", "profiles", "Snakefile")]
    if there := [path for path in made if path.exists()]:
        names = ", ".join(map(str, there))
        raise FileExistsError(f"{names}: there already; give another folder, or move them away")
    folder.mkdir(parents=True, exist_ok=True)
    config, profiles, snakefile = made
    default = (Path(__file__).parent / "experiment/shipped/default.yaml").read_text()
    config.write_text(default.replace("$schema=workflow", f"$schema={workflow_files()}/workflow"))
    shutil.copytree(workflow_files() / "profiles", profiles)
    snakefile.write_text(SNAKEFILE)
    return made


def run(words: Sequence[str]) -> NoReturn:
    """Call Snakemake with the workflow of the package, in the current folder.

    Parameters
    ----------
    words
        A config, by default config.yaml, and then arguments of Snakemake.

    Raises
    ------
    SystemExit
        With the exit status of Snakemake, or with a line where Snakemake or the config is missing.
    """
    if find_spec("snakemake") is None:
        raise SystemExit("Snakemake is not installed, and lenscast run needs it: pip install 'lenscast[workflow]'")
    arguments = snakemake_arguments(words)
    from snakemake.cli import main  # here: the rest of the command works without Snakemake

    sys.argv = ["snakemake", *arguments]  # which profiles and Snakemake itself read
    raise SystemExit(main(arguments))


def snakemake_arguments(words: Sequence[str]) -> list[str]:
    """What follows the word snakemake in the call for the words after `lenscast run`.

    Raises
    ------
    SystemExit
        With a line where no config is given and the current folder has none.
    """
    config, rest = ([words[0]], words[1:]) if words and words[0].endswith(CONFIG_SUFFIXES) else ([], words)
    given = {word.partition("=")[0] for word in rest}
    if not (config or given & {"--configfile", "--configfiles", "--directory", "-d"} or Path("config.yaml").exists()):
        raise SystemExit(
            "config.yaml: there is none in this folder; `lenscast init` writes one, `lenscast run my.yaml` takes yours"
        )
    # before other options: --configfile takes all words up to the next one
    arguments = ["--configfile", *config] if config else []
    if not ("--workflow-profile" in given or Path("profiles/default").exists()):
        arguments += ["--workflow-profile", str(workflow_files() / "profiles/default")]
    return [*arguments, "--snakefile", str(workflow_files() / "workflow/Snakefile"), *rest]
