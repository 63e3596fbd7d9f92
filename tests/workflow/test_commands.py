"""Commands that README and documentation print, and names with what shells and formats act on."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from _workflow import arguments, snakemake
from lenscast.__main__ import main
from lenscast.experiment.command_line import check_words, detail_is_wanted, unquotable
from lenscast.launcher import snakemake_arguments

ROOT = Path(__file__).resolve().parents[2]
TINY = yaml.safe_load((ROOT / "tests/workflow/config.yaml").read_text())
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("snakemake", "make", "lenscast", ".venv/bin/lenscast", "python -m lenscast")
STANDS_FOR = {"training=...": "training=configs/training.yaml"}
# files of the reader's own, which the small experiment lacks: to be told of a missing one is to be understood
MISSING = (
    "finish it first",
    "Missing input files for rule re",
    "maps.yaml: 1 error\n  file: there is none of this name",
)
NOTHING_TO_PLAN = ("--unlock", "--delete-temp-output", "--touch")  # run as they are, in a folder of their own


def printed() -> list[str]:
    """Commands in blocks of code and in sentences, each once."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            found += [line.split(" # ")[0].strip() for line in block.splitlines()] if not language else []
        sentences = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        found += [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", sentences)]
    words = tuple(f"{program} " for program in PROGRAMS)
    commands = [each for each in found if each.startswith(words)]
    return [
        each for each in dict.fromkeys(commands) if each[0] != "m" or re.fullmatch(r"make [a-z-]+( [A-Z]+=.*)?", each)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the commands name."""
    small = {**TINY, "boxes_per_batch": 4, "derivatives": {**TINY["derivatives"], "boxes": 8}}
    for name in ("config", "my", "there"):
        text = yaml.safe_dump({**small, "run": "my" if name == "config" else name}, sort_keys=False)
        (tmp_path / f"{name}.yaml").write_text(text)
    for name in ("configs", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    for run in ("other", "third", "plain"):
        (tmp_path / f"results/{run}/fisher").mkdir(parents=True)
        for vector in TINY["forecast"]["data_vectors"]:
            for end in (".h5", "_estimators.csv"):
                (tmp_path / f"results/{run}/fisher/{vector}{end}").touch()
    return tmp_path


def planned(words: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    """What a dry run says."""
    dry = [] if {*words} & {*NOTHING_TO_PLAN} else ["--dry-run"]
    done = snakemake(*arguments(folder, *dry, *words), env={**os.environ, **(env or {})}, cwd=folder)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert done.returncode == 0 or any(text in said for text in MISSING), said
    return said


@pytest.mark.slow
@pytest.mark.parametrize("command", printed())
def test_printed_commands_are_understood(command: str, folder: Path, capsys, monkeypatch) -> None:
    for placeholder, value in STANDS_FOR.items():
        command = command.replace(placeholder, value)
    words = shlex.split(command.split(" > ")[0].split(" && ")[0])
    monkeypatch.chdir(folder)
    if words[0] == "make":
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        # what a make that runs the tests was told, such as ARGS, is not for this one
        env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "ARGS")}
        done = subprocess.run(["make", "--dry-run", *words[1:]], capture_output=True, text=True, check=True, env=env)
        line = re.findall(r'bin:\$PATH" (.*)', done.stdout)[-1].rstrip("\\")
        config = next((word.partition("=")[2] for word in words if word.startswith("CONFIG=")), "")
        words = shlex.split(line.replace("$CONFIG", config))
    if words[0] == "snakemake":
        planned(words[1:], folder)
    elif words[:2] == ["lenscast", "run"]:
        planned(snakemake_arguments(words[2:]), folder)
    elif words[:2] == ["lenscast", "init"]:
        assert main(["init", *(words[2:] or ["new"])]) == 0
    elif "lenscast" in words[0] or words[:3] == ["python", "-m", "lenscast"]:
        words = words[3 if words[0] == "python" else 1 :]
        assert main(words if words[2:] or words[1] == "schema" else [*words, "my.yaml"]) == 0
        assert capsys.readouterr().out
    else:
        assert words[0] in ("pytest", "python", "snakefmt", "sphinx-build", "uv")


@pytest.mark.slow
def test_the_workflow_is_a_module_of_a_working_copy(tmp_path: Path) -> None:
    # the folders and the Snakefile that snakedeploy writes
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(
        'configfile: "config/config.yaml"\n\n'
        f"module lenscast:\n    snakefile: {str(ROOT / 'workflow/Snakefile')!r}\n    config: config\n\n"
        "use rule * from lenscast\n"
    )
    copy = str(tmp_path / "workflow" / "Snakefile")
    planned = snakemake("--snakefile", copy, "--directory", str(tmp_path), "--dry-run", "--quiet", "rules", "host")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def test_a_target_after_configfile_is_named_with_the_right_order() -> None:
    with pytest.raises(SystemExit) as end:
        check_words(["--dry-run", "--configfile", "my.yaml", "results/my/a.h5", "--cores", "2"])
    assert str(end.value) == (
        "results/my/a.h5 follows --configfile, which takes all words up to the next option for configs; give targets "
        "first: snakemake results/my/a.h5 --configfile my.yaml"
    )


def test_configs_that_are_none_are_one_line(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content, expected in (
        (None, r"file: there is none of this name"),
        ("- a\n- b\n", r"x\.yaml: no mapping of sections"),
        ("run: a\nrun: b\n", r"run: line 2: given before in line 1"),
        ("__use_yte__: true\n", r"x\.yaml: __use_yte__ given; configs have values and no code"),
    ):
        if content is not None:
            Path("x.yaml").write_text(content)
        for words in (["--configfile", "x.yaml"], ["--configfiles=x.yaml", "-n"]):
            with pytest.raises(SystemExit, match=expected):
                check_words(words)
    Path("x.yaml").write_text("base: default\n")
    check_words(["target", "--configfile", "x.yaml", "--config", "run=a", "--", "target"])
    check_words(["target", "-n"])


def test_profiles_have_bars_unless_detail_is_wanted() -> None:
    import yte

    for path in (ROOT / "profiles").glob("*/profile.yaml"):
        for words, loggers in (([], ["rich"]), (["-p"], None), (["-n", "--verbose"], None), (["--dry-run"], ["rich"])):
            definitions = {"check_words": lambda: None, "detail_is_wanted": lambda words=words: detail_is_wanted(words)}
            text = re.sub(r"__definitions__:.*?\n(  - .*\n)*", "", path.read_text())
            profile = yte.process_yaml(text, variables=definitions)
            assert profile.get("logger") == loggers
            assert "printshellcmds" not in profile


def test_paths_and_values_that_a_shell_would_act_on_are_named() -> None:
    good = [("config", "a b{c}'d\"e;f&g*h.yaml"), ("Snakefile", Path("Snakefile"))]
    assert not [*unquotable(good, {"run": "both", "merge": "here,there"})]
    for bad in ("$(touch x)", "`touch x`", "a\\b", "a\nb"):
        (line,) = unquotable([("config", bad)], {})
        assert line.startswith(f"config {bad!r} has ")
        assert line.endswith("which a shell on the way to a job would act on; rename it")
    for bad in ("it's", '"a"', "$HOME"):
        (line,) = unquotable([], {"training": bad})
        assert line.startswith("--config training=")


@pytest.mark.slow
def test_files_of_any_name_work_or_are_one_line(tmp_path: Path) -> None:
    odd = "a {b} 'c' \"d\" $(touch pwned) `touch pwned` ;touch pwned; *"
    (tmp_path / f"{odd}.txt").write_text("0.913 0\n0.914 1\n0.915 0\n")
    config = {**TINY, "survey": {**TINY["survey"], "sources": {"kind": "table", "file": f"{odd}.txt"}}}

    def call(name: str, *words: str, **changes: Any) -> str:
        path = tmp_path / name
        path.write_text(yaml.safe_dump({**config, **changes}))
        done = snakemake(*arguments(tmp_path, *words, "--configfile", str(path)))
        assert not (tmp_path / "pwned").exists()
        return done.stdout + done.stderr

    maps = "results/tiny/maps/fiducial/seeds_100000_100001.h5"
    call("my {config} 'of' \"mine\";*.yaml", maps)
    assert (tmp_path / maps).exists()
    said = call("$(touch pwned).yaml", maps)
    assert "has $, which a shell on the way to a job would act on; rename it" in said
    said = call("my.yaml", "--dry-run", run=300 * "a")
    assert "run: 'aaaa" in said
    assert "must be a name of at most 100 letters, digits and _ (name of the run" in said
    said = call("my.yaml", "compare_runs", "--config", "compare=a{b}")
    assert "'a{b}' is no name of a run; give letters, digits and _" in said
    for name in (f"{300 * 'n'}.txt", "no/such/{file}.txt"):
        survey = {**TINY["survey"], "sources": {"kind": "table", "file": name}}
        said = call("my.yaml", "--dry-run", survey=survey)
        assert f"survey.sources: cannot read {name}" in said
        assert "Traceback" not in said
