"""Tables of redshift distributions as surveys publish them: what is read, and what is refused by line and column."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenscast.experiment import load
from lenscast.sources import redshift_distributions, tabulated

Z = np.linspace(0.0, 0.9, 46)
N = Z**2 * np.exp(-((Z / 0.3) ** 1.2))


def rows(separator: str = " ", end: str = "\n") -> str:
    return "".join(f"{z:.6e}{separator}{n:.6e}{end}" for z, n in zip(Z, N, strict=True))


@pytest.fixture
def section(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Function that writes a table and returns the section that names it."""

    def write(content: str | bytes, name: str = "nz.txt", **keys: str) -> dict[str, Any]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {"survey.sources": {"kind": "table", "file": str(path), **keys}}

    return write


READ = {
    "tabs": rows("\t"),
    "commas": rows(","),
    "commas and spaces": rows(", "),
    "semicolons": rows(";"),
    "a separator at the end": rows(",", ",\n"),
    "bars": rows(" | "),
    "Windows": rows(end="\r\n"),
    "old Macintosh": rows(end="\r"),
    "byte order mark": rows().encode("utf-8-sig"),
    "two bytes a letter": rows().encode("utf-16"),
    "accents": "# répartition\n".encode("latin-1") + rows().encode(),
    "header": "z n_1\n" + rows(),
    "header with commas": '"z","n 1"\n' + rows(","),
    "percent": "% z n\n" + rows(),
    "exclamation mark": "! z n\n" + rows(),
    "D exponents": rows().replace("e", "D"),
    "gzip": gzip.compress(rows().encode()),
    "zeros at the end": rows() + "0.900001 0\n1.5 0\n3.0 0\n",
    "huge": "".join(f"{z} {n * 1e308}\n" for z, n in zip(Z, N, strict=True)),
    "tiny": "".join(f"{z} {n * 1e-290}\n" for z, n in zip(Z, N, strict=True)),
}


@pytest.mark.parametrize("content", READ.values(), ids=READ.keys())
def test_tables_are_read_with_any_separator_header_and_line_end(content: str | bytes, section, changed) -> None:
    sources = load(changed(section(content, interpretation="points") | {"survey.n_gal": [9]})).survey.sources
    found, expected = redshift_distributions(sources), tabulated(Z[None], N[None])
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
    assert sources.z_max <= 1.0


def test_arrays_of_numpy_are_tables(tmp_path: Path, section, changed) -> None:
    np.save(tmp_path / "nz.npy", np.column_stack([Z, N]))
    content = (tmp_path / "nz.npy").read_bytes()
    sources = load(changed(section(content, "nz.npy", interpretation="points") | {"survey.n_gal": [9]})).survey.sources
    np.testing.assert_array_equal(sources.table.z, Z)


REFUSED = {
    "decimal commas": (rows().replace(".", ","), "line 1, column 1: '0' is no number|decimal commas"),
    "NaN": (rows() + "9.1e-01 nan\n", r"has nan in line 47, column 2; give a number"),
    "overflow": ("0 0\n0.5 1e400\n0.7 0\n", r"has inf in line 2, column 2; give a number"),
    "complex": ("0 1+2j\n0.5 1\n", r"line 1, column 2: '1\+2j' is no number"),
    "hexadecimal": ("0x0 0x1\n0.5 1\n", "line 1, column 1: '0x0' is no number"),
    "unequal rows": ("0 1 2\n0.5 1\n", "has 2 columns in line 2 and 3 in line 1; give each row the same number"),
    "transposed": (" ".join(map(str, Z)) + "\n" + " ".join(map(str, N)), "redshifts go down a column; transpose it"),
    "numbers of rows": ("".join(f"{i} {n}\n" for i, n in enumerate(N)), "has 0 to 45 in the first column; give redshi"),
    "negative redshifts": ("-0.01 0\n" + rows(), "has -0.01 to 0.9 in the first column"),
    "centres too": (
        "".join(f"{z} {z + 0.01} {z + 0.02} {n}\n" for z, n in zip(Z, N, strict=True)),
        "has redshifts in column 2 too, as centres or ends of bins; name the columns",
    ),
    "empty": ("", "has no row of numbers"),
    "comments": ("# z\n", "has no row of numbers"),
    "a page in place of the file": ("<html><body>404</body></html>\n", "has no row of numbers"),
    "SACC in HDF5": (b"\x89HDF\r\n\x1a\n", r"is HDF5: save the array .* \(of sacc: save_fits\)"),
    "FITS": ("SIMPLE  =                    T", "is FITS, which astropy reads; install it|is damaged"),
    "bytes": (b"\x00\x01\x02", "it is no text"),
    "a pickle": (b"\x80\x04\x95", "is a pickle, which is never loaded"),
}


@pytest.mark.parametrize(("content", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_tables_that_are_none_are_refused_by_line_and_column(content: str | bytes, text: str, section, refusal) -> None:
    with_points = section(content, interpretation="points")
    (line,) = refusal(with_points)
    assert line.startswith("survey.sources: ")
    assert re.search(text, line)


def test_evenly_spaced_rows_must_say_what_they_are(section, refusal) -> None:
    (line,) = refusal(section(rows()))
    assert (
        "are 0.02 apart, as bins of a histogram are; read as points, starts of bins shift the mean redshift by 0.01"
        in (line)
    )
    assert "give interpretation: points, or interpretation: histogram with redshifts: starts, centres or edges" in line


def means(sources: Any) -> float:
    return float(redshift_distributions(sources).mean[0])


@pytest.mark.parametrize(
    ("content", "keys", "shift"),
    [
        (rows(), {"redshifts": "starts"}, 0.01),
        (rows(), {"redshifts": "centres"}, 0.0),
        (rows() + "9.2e-01 0\n", {"redshifts": "edges"}, 0.01),
        ("# z_low n_1\n" + rows(), None, 0.01),
        ("Z_MID,BIN1\n" + rows(","), None, 0.0),
        (
            "Z_LOW Z_MID Z_HIGH BIN1\n"
            + "".join(f"{z} {z + 0.01} {z + 0.02} {n}\n" for z, n in zip(Z, N, strict=True)),
            None,
            0.01,
        ),
    ],
    ids=["starts", "centres", "edges", "named starts", "named centres", "three columns of redshifts"],
)
def test_bins_of_a_histogram_are_where_they_are_said_to_be(content, keys, shift, section, changed) -> None:
    named = {} if keys is None else {"interpretation": "histogram", **keys}
    sources = load(changed(section(content, **named) | {"survey.n_gal": [9]})).survey.sources
    assert sources.number == 1
    assert means(sources) == pytest.approx(np.average(Z, weights=N) + shift, abs=1e-4)
    assert sources.z_max == pytest.approx(0.9 + (0.01 if shift == 0 else 0.02))


def test_words_on_bins_that_contradict_each_other_are_refused(section, refusal) -> None:
    (line,) = refusal(section(rows(), interpretation="points", redshifts="starts"))
    assert "interpretation = points has no redshifts of bins; remove redshifts, or give histogram" in line
    (line,) = refusal(section(rows(), interpretation="histogram"))
    assert "interpretation = histogram without redshifts; give starts, centres or edges" in line
    (line,) = refusal(section(rows(), interpretation="histogram", redshifts="edges"))
    assert "after the last edge; give 0" in line


def in_fits(path: Path, **tables: dict[str, Any]) -> bytes:
    """A FITS file with tables of columns; entries in capitals are words of their heads."""
    fits = pytest.importorskip("astropy.io.fits", reason="the extra `fits` is not installed")
    units = [fits.PrimaryHDU()]
    for name, entries in tables.items():
        columns = {key: value for key, value in entries.items() if isinstance(value, np.ndarray)}
        made = [fits.Column(name=key, format="D", array=value) for key, value in columns.items()]
        unit = fits.BinTableHDU.from_columns(made, name=name)
        unit.header.update({key: value for key, value in entries.items() if key not in columns})
        units.append(unit)
    fits.HDUList(units).writeto(path)
    return path.read_bytes()


def tracer(name: str, n: np.ndarray, quantity: str = "generic") -> dict[str, Any]:
    return {"z": Z, "nz": n, "SACCTYPE": "tracer", "SACCCLSS": "NZ", "SACCNAME": name, "SACCQTTY": quantity}


def test_tables_of_two_point_files_are_read_as_the_bins_that_their_columns_name(tmp_path, section, changed) -> None:
    edges = {"Z_LOW": Z, "Z_MID": Z + 0.01, "Z_HIGH": Z + 0.02}
    lenses = {**edges, "BIN1": N[::-1].copy()}
    content = in_fits(tmp_path / "2pt.fits", nz_lens=lenses, NZ_SOURCE={**edges, "BIN1": N, "BIN2": N**2})
    for each in (content, gzip.compress(content)):
        sources = load(changed(section(each) | {"survey.n_gal": [9, 9]})).survey.sources
        assert (sources.number, sources.is_histogram) == (2, True)
        assert means(sources) == pytest.approx(np.average(Z, weights=N) + 0.01, abs=1e-4)


@pytest.mark.parametrize("names", [("source_0", "source_1"), ("a", "b")])
def test_tracers_of_shear_in_sacc_files_are_the_sources(names, tmp_path, section, changed) -> None:
    quantity = "generic" if names[0] == "source_0" else "galaxy_shear"
    tables = {f"t{i}": tracer(name, N ** (i + 1), quantity) for i, name in enumerate(names)}
    content = in_fits(tmp_path / "sacc.fits", lens=tracer("lens_0", N[::-1].copy(), "galaxy_density"), **tables)
    sources = load(changed(section(content, interpretation="points") | {"survey.n_gal": [9, 9]})).survey.sources
    expected = tabulated(Z[None], np.stack([N, N**2]))
    np.testing.assert_allclose(redshift_distributions(sources).mean, expected.mean)


def test_fits_files_without_one_table_of_sources_are_refused(tmp_path, section, refusal) -> None:
    one = {"Z_MID": Z, "BIN1": N}
    cases = {
        "has no table; give a file with one table": {},
        "has the tables ONE, OTHER; give a file with one table": {"one": one, "other": one},
        "redshifts of their own (a and b)": {"one": tracer("a", N), "two": {**tracer("b", N), "z": Z + 0.01}},
    }
    for number, (text, tables) in enumerate(cases.items()):
        (line,) = refusal(section(in_fits(tmp_path / f"{number}.fits", **tables)))
        assert text in line


def test_damaged_fits_is_one_line(tmp_path, section, refusal) -> None:
    content = in_fits(tmp_path / "2pt.fits", NZ_SOURCE={"Z_MID": Z, "BIN1": N})
    for cut in (40, 3000, len(content) - 3000):
        (line,) = refusal(section(content[:cut]))
        assert re.search(r"is damaged \(.*\); copy it again|has no table", line)
