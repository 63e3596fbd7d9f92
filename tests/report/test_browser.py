"""The report in a browser: from a file, at the widths of a telephone and of a screen."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NARROWEST = 500
"""Least width of a window of Chromium; narrower pages are in a frame."""
PROBE = """<script>addEventListener("load", () => {
const images = [...document.images].map(each => [each.complete, each.naturalWidth, each.getBoundingClientRect().width]);
const found = {images, requests: performance.getEntriesByType("resource").map(each => each.name), width: innerWidth,
  page: document.documentElement.scrollWidth, font: parseFloat(getComputedStyle(document.body).fontSize),
  right: [...document.querySelectorAll("h2, h3, p, figcaption, .card")].map(one => one.getBoundingClientRect().right)};
const probe = Object.assign(document.createElement("pre"), {id: "probe", textContent: JSON.stringify(found)});
parent.document.body.append(probe);
});</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [400, 1400])
def test_report_is_readable_in_a_browser(page, width, tmp_path):
    probed = page.replace("</body>", f"{PROBE}</body>")
    if width < NARROWEST:
        frame = f'<iframe style="border: 0" width="{width}" height="900" srcdoc="{html.escape(probed)}"></iframe>'
        probed = f'<!DOCTYPE html><link rel="icon" href="data:,"><body>{frame}</body>'
    (tmp_path / "report.html").write_text(probed, encoding="utf-8")
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    address = (tmp_path / "report.html").as_uri()
    done = subprocess.run(
        [CHROMIUM, *words, f"--window-size={max(width, NARROWEST)},900", "--virtual-time-budget=5000", address],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (text,) = re.findall(r'<pre id="probe">(.*?)</pre>', done.stdout)
    found = json.loads(html.unescape(text))
    assert found["width"] == width
    assert found["requests"] == []
    assert len(found["images"]) == 4
    for complete, natural, shown in found["images"]:
        assert complete
        assert natural > 0
        # never drawn larger than it is, nor so small that its labels cannot be read
        assert min(600, natural) <= shown <= natural + 1
    assert found["page"] <= width  # wide tables and figures scroll by themselves
    assert max(found["right"]) <= width
    assert found["font"] >= 16
