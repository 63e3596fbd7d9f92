"""The code of docs/exports.md runs on the exports of a run."""

import re
from pathlib import Path

import pytest

from lenscast import exports

PAGE = Path(__file__).resolve().parents[2] / "docs/exports.md"


@pytest.mark.slow
def test_code_of_the_page_runs(files, samples, described, sigma, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sacc")
    pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    folder = tmp_path / "results/default/export"
    exports.save_dataset(folder / "forecast.h5", samples, files, described, {})
    exports.save_sacc(folder / "combined.sacc.fits", files["combined"], described, samples.summaries.box)
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(code, "exports.md", "exec"), {})
    said = capsys.readouterr().out
    assert f"{sigma('combined')[1]:.6g}"[:7] in said
