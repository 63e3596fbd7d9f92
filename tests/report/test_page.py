"""The page of a report: what it says, and that it needs nothing else."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

from lenscast import figures, posterior_figures
from lenscast.report.captions import CAPTIONS
from lenscast.report.page import _verdict as verdict_of
from lenscast.report.page import number, symbol


class Outline(HTMLParser):
    """Headings, addresses and tags of a page; end tags close what is open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.identifiers = [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        self.addresses += [attributes[key] for key in ("src", "href") if key in attributes]
        self.identifiers += [attributes["id"]] if "id" in attributes else []
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_needs_no_network_and_no_script(page):
    outline = Outline(page)
    assert outline.open == []
    assert "script" not in outline.tags
    assert all(each.startswith(("data:", "#")) for each in outline.addresses)
    assert {each[1:] for each in outline.addresses if each.startswith("#")} < set(outline.identifiers)
    assert not re.search(r"https?://|url\(|@import", page)


def test_page_begins_with_the_verdicts_and_what_to_do(page):
    order = ["verdict", "contours", "errors", "convergence", "data", "maps", "settings", "again"]
    assert [each for each in Outline(page).identifiers if each in order] == order
    first = page[page.index('id="verdict"') : page.index('id="contours"')]
    assert "C_ell: 1 of 3 errors are converged" in first
    # the largest number of boxes that is finite is not enough where no information was found
    assert "raise <code>derivatives.boxes</code>, or fix a parameter: no information was found" in first
    assert "raise <code>simulation.particles</code>" in first
    assert "<sub>8</sub>" in first


def test_page_has_errors_figures_and_settings(page):
    table = page[page.index('id="table-of-errors"') :]
    assert "0.0125" in table
    assert "0.011 to 0.014" in table
    assert "29,900 ± 290" in page
    assert "second bin" in page
    assert "41 %" in page
    assert page.count("data:image/png;base64,") == 4
    assert "Spectra and theory, power spectrum." in page
    assert "15,000 deg²" in page
    assert "&lt;b&gt;&amp;" in page  # a config is text
    assert "0123456789abcdef" in page


def test_page_counts_bins_that_are_not_gaussian_and_those_in_use(page):
    table = page[page.index('id="bins"') : page.index('id="maps"')]
    assert "a mean below 10." in table
    assert "beyond 0.5 in size" in table
    rows = re.findall(r"<tr><td>(.*?)</tr>", table, re.DOTALL)
    numbers = {row.partition("<")[0]: re.findall(r"number\">(\d+)<", row) for row in rows}
    assert numbers == {"C_ell": ["4", "2", "1", "2"], "peaks": ["4", "2", "1", "2"]}


def test_every_caption_is_of_a_figure():
    functions = vars(figures) | vars(posterior_figures)
    for name, caption in CAPTIONS.items():
        aliases = {"validation_spectra", "validation_counts", "validation_projection"}
        assert callable(functions.get(name)) or name in aliases
        assert caption.text.endswith(".")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Omega_c", "Ω<sub>c</sub>"),
        ("sigma8", "\N{GREEK SMALL LETTER SIGMA}<sub>8</sub>"),
        ("w0", "w<sub>0</sub>"),
        ("A_IA", "A<sub>IA</sub>"),
        ("log10_T_AGN", "log<sub>10</sub> T<sub>AGN</sub>"),
        ("delta_z_2", "Δz<sub>2</sub>"),
        ("S8", "S<sub>8</sub>"),
        ("my_own", "my<sub>own</sub>"),
    ],
)
def test_symbols_are_those_of_the_field(name, text):
    assert " ".join(symbol(name).split()) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (-1.0, "\N{MINUS SIGN}1"), (float("inf"), "∞"), (12345.6, "12,300"), (2e9, "2e+09")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text
    assert number(float("nan")) == "\N{EN DASH}"


def test_captions_are_read_without_jax():
    code = "import sys, lenscast.report.captions; sys.exit('jax' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_forecast_without_priors_has_remedies_too():
    names = ["Omega_c", "sigma8"]
    table = pd.DataFrame(
        {
            "parameter": names,
            "verdict": ["converged", "limited by simulations"],
            "reason": ["", "noise of the Jacobian and resolution in steps"],
            "boxes_needed": [3.0, 120.0],
            "with_priors": False,
            "estimator": "cross",
            "systematics": "marginalised",
        }
    )
    found = verdict_of(table, table)
    assert (found["converged"], found["all"]) == (1, 2)
    assert [each["reason"] for each in found["remedies"]] == ["noise of the Jacobian", "resolution in steps"]
    assert "to 120 or more" in found["remedies"][0]["remedy"]
