"""`lenscast init` and the words that `lenscast run` gives to Snakemake."""

import sys
from pathlib import Path

import pytest

from lenscast import launcher
from lenscast.__main__ import main
from lenscast.experiment import read, shipped

ROOT = Path(__file__).resolve().parents[1]
SNAKEFILE = ["--snakefile", str(ROOT / "workflow/Snakefile")]
PROFILE = ["--workflow-profile", str(ROOT / "profiles/default")]


@pytest.fixture
def called(monkeypatch):
    """Words of the calls of Snakemake, which ends with status 3."""
    calls = []
    monkeypatch.setattr("snakemake.cli.main", lambda words: calls.append((words, sys.argv)) or 3)
    monkeypatch.setattr(sys, "argv", ["lenscast"])
    return calls


def run(*words):
    with pytest.raises(SystemExit) as end:
        main(["run", *words])
    return end.value.code


def test_init_writes_the_default_config_profiles_and_a_snakefile(tmp_path, monkeypatch, capsys):
    assert main(["init", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.endswith(f"written; next: cd {tmp_path / 'new'} && lenscast run\n")
    assert read(tmp_path / "new/config.yaml") == read(ROOT / "config.yaml")
    assert "default" in shipped()
    for path in (ROOT / "profiles").rglob("*.yaml"):
        assert (tmp_path / "new" / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"config.yaml", "profiles", "Snakefile"}


def test_init_overwrites_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("mine")
    assert main(["init"]) == 1
    assert capsys.readouterr().err == "config.yaml: there already; give another folder, or move them away\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert Path("config.yaml").read_text() == "mine"


def test_run_gives_config_and_arguments_to_snakemake(tmp_path, monkeypatch, called):
    monkeypatch.chdir(tmp_path)
    config = ["--configfile", "my.yaml"]
    assert run("my.yaml", "validate", "--dry-run") == 3
    assert run("--configfile", "my.yaml") == 3
    main(["init"])
    assert run() == run("all", "--", "b.yaml") == 3
    assert run("my.yaml", "--workflow-profile", "profiles/slurm") == 3
    assert [words for words, _ in called] == [
        [*config, *PROFILE, *SNAKEFILE, "validate", "--dry-run"],
        [*PROFILE, *SNAKEFILE, *config],
        # with the profiles of the folder, which snakemake finds
        SNAKEFILE,
        [*SNAKEFILE, "all", "--", "b.yaml"],
        [*config, *SNAKEFILE, "--workflow-profile", "profiles/slurm"],
    ]
    # profiles read the words of the process
    assert all(argv == ["snakemake", *words] for words, argv in called)


def test_run_without_config_or_snakemake_says_what_to_do(tmp_path, monkeypatch, called):
    monkeypatch.chdir(tmp_path)
    assert str(run("--dry-run")).startswith("config.yaml: there is none in this folder; `lenscast init` writes one")
    monkeypatch.setattr(launcher, "find_spec", lambda name: None)
    assert "pip install 'lenscast[workflow]'" in run("my.yaml")
    assert not called
