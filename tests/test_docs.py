"""The code of the manual's pages runs, in their order."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["arrays", "maps"])
def test_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    text = (DOCS / f"{page}.md").read_text()
    monkeypatch.chdir(tmp_path)
    for content in re.findall(r"```yaml\n# (?P<name>\S+\.yaml)\n(.*?)```", text, re.DOTALL):
        Path(content[0]).write_text(content[1])
    scope: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, f"{page}.md", "exec"), scope)
    assert "sigma" in capsys.readouterr().out
