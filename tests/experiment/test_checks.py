"""Checks between sections: what fits together, what does not, and what the errors say."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lenscast.experiment import load
from lenscast.experiment.observation import observation

REFUSALS = {
    # geometry
    "source behind the planes": (
        {
            "survey.sources.z": [0.5, 1.5],
            "survey.n_gal": [9, 7],
            "simulation.box_size": 410,
            "lightcone.slabs_per_box": 4,
        },
        "lightcone.planes: 22 planes of 102.5 Mpc/h end at chi = 2255, before the sources at z = 1.5 (chi = 3038); "
        "raise lightcone.planes to 30",
    ),
    "source behind the planes of a shifted cosmology": (
        {"simulation.box_size": 196},
        "lightcone.planes: 22 planes of 98 Mpc/h end at chi = 2156, before the sources at z = 0.914 "
        "(chi = 2174 in the cosmology w0_minus); raise lightcone.planes to 23",
    ),
    "planes before the start": (
        {"lightcone.planes": 60},
        "lightcone.planes: 60 planes of 102.5 Mpc/h end at chi = 6150, before the simulation starts at "
        "a = 0.142857 (chi = 5725); lower lightcone.planes to 55 or simulation.a_start",
    ),
    "field wider than the box": (
        {"lightcone.field_deg": 5.8, "lightcone.pixels": 298},
        "lightcone.field_deg: 5.8 deg are 213 Mpc/h on the farthest plane in front of the sources (chi = "
        "2101), "
        "wider than the box of 205 Mpc/h; lower lightcone.field_deg to 5.5 or raise simulation.box_size "
        "to 213",
    ),
    "scale not in the map": (
        {"statistics.peaks.scales_arcmin": [12.0]},
        "statistics.peaks.scales_arcmin: 12 arcmin is not 2^j pixels of 1.172 arcmin within 10 %; "
        "allowed: 2.344, 4.688, 9.375, 18.75, 37.5 arcmin",
    ),
    "scale too large for the map": (
        {"statistics.peaks.scales_arcmin": [75]},
        "statistics.peaks.scales_arcmin: 75 arcmin reaches 158 pixels into the map from each side, which "
        "leaves 0 of 256; allowed: 2.344, 4.688, 9.375, 18.75, 37.5 arcmin",
    ),
    "scale twice": (
        {"statistics.starlet_power_spectrum.scales_arcmin": [9.3, 9.4]},
        "statistics.starlet_power_spectrum.scales_arcmin: 9.3 and 9.4 arcmin are the same scale; keep one",
    ),
    "unresolved multipole": (
        {"statistics.power_spectrum.ell_edges": [200, 400, 600, 800, 1000, 1200, 10000]},
        "statistics.power_spectrum.ell_edges: ell = 10000 is not resolved by pixels of 1.172 arcmin; "
        "end at ell = 9216 or raise lightcone.pixels",
    ),
    "bin without modes": (
        {"statistics.starlet_power_spectrum.ell_edges": [50, 90, 500]},
        "statistics.starlet_power_spectrum.ell_edges: no mode in 50 <= ell < 90: modes of the 180 pixels "
        "inside "
        "the border are 102 apart; widen the bin",
    ),
    "more boxes for levels than there are": (
        {"resolution": {"boxes": 500, "levels": ["particles"]}},
        "resolution.boxes: 500 given, but they are the first of the 48 boxes of derivatives; give at most 48",
    ),
    "one step": (
        {"simulation.integrator.steps": 1},
        "resolution.levels: one step cannot be halved; leave out steps, or raise their number",
    ),
    "planes that cannot be halved": (
        {"resolution": {"boxes": 2, "levels": ["particles"]}, "lightcone.plane_mesh": 511},
        "lightcone.plane_mesh: 511 cannot be halved for resolution.levels; give an even number from 16 on",
    ),
    "mesh of the planes that cannot be halved": (
        {"resolution": {"boxes": 2, "levels": ["plane_mesh"]}, "lightcone.plane_mesh": 511},
        "lightcone.plane_mesh: 511 cannot be halved for resolution.levels; give an even number from 16 on",
    ),
    "coarse boxes without their level": (
        {"resolution": {"boxes": 48, "levels": ["steps"], "coarse_only": {"first_seed": 400000, "boxes": 64}}},
        "resolution.coarse_only: given without particles in resolution.levels, the level of these boxes; add it there",
    ),
    "two levels on some of the boxes": (
        {"resolution": {"boxes": 4, "levels": ["particles"], "coarse_only": {"first_seed": 400000, "boxes": 64}}},
        "resolution.boxes: 4 given, but with coarse_only all boxes of derivatives are simulated at both levels; "
        "give 48",
    ),
    "coarse boxes that do not fill batches": (
        {"resolution": {"boxes": 48, "levels": ["particles"], "coarse_only": {"first_seed": 400000, "boxes": 20}}},
        "resolution.coarse_only.boxes: 20 is not a multiple of boxes_per_batch = 8; give 16 or 24",
    ),
    "coarse boxes with the seeds of others": (
        {"resolution": {"boxes": 48, "levels": ["particles"], "coarse_only": {"first_seed": 40, "boxes": 64}}},
        "resolution.coarse_only.first_seed: seeds 40 to 103 overlap the seeds 0 to 47 of derivatives; "
        "give 100064 or more",
    ),
    "two levels of too few boxes": (
        {
            "left_out_seeds": [*range(41)],
            "finite_differences.boxes": 48,
            "resolution": {"boxes": 48, "levels": ["particles"], "coarse_only": {"first_seed": 400000, "boxes": 64}},
        },
        "resolution.coarse_only: 7 boxes of derivatives are too few to weigh the levels; raise derivatives.boxes to 8 "
        "or more, or remove coarse_only",
    ),
    "scale cuts without levels": (
        {"forecast.scale_cuts": "resolved", "resolution.levels": []},
        "forecast.scale_cuts: resolved without resolution.levels; add some, or give none",
    ),
    "source of the validation before the start": (
        {"validation.z_source": [0.46, 6.0]},
        "validation.z_source: z_source = 6 needs 56 planes of 102.5 Mpc/h up to chi = 5740, before the simulation "
        "starts at a = 0.142857 (chi = 5725); lower it or simulation.a_start",
    ),
    "validation at the same resolution": (
        {"validation.refinement": 1},
        "validation.refinement: 1 given; must be an integer >= 2 and <= 16 "
        "(particles per side of the finer simulation / those of simulation)",
    ),
    # seeds and numbers of maps
    "broken batch": (
        {"derivatives.boxes": 50},
        "derivatives.boxes: 50 is not a multiple of boxes_per_batch = 8; give 48 or 56",
    ),
    "one box": (
        {"derivatives.boxes": 1},
        "derivatives.boxes: 1 given; must be an integer >= 2 and <= 1000000 "
        "(number of boxes, a multiple of boxes_per_batch)",
    ),
    "more finite differences than derivatives": (
        {"finite_differences.boxes": 56},
        "finite_differences.boxes: 56 given, but they are the first of the 48 boxes of derivatives; give at most 48",
    ),
    "shared seeds": (
        {"covariance.first_seed": 40},
        "covariance.first_seed: seeds 40 to 103 overlap the derivatives' seeds 0 to 47; "
        "set covariance.first_seed to 48 or more",
    ),
    "left out seed that is none": (
        {"left_out_seeds": [3, 99]},
        "left_out_seeds: 99 is no seed of this run; give one of 100000 to 100063 or 0 to 47, or remove it",
    ),
    "too few boxes left": (
        {"left_out_seeds": [*range(7)], "finite_differences.boxes": 8, "resolution.boxes": 16},
        "finite_differences.boxes: left_out_seeds leave 1 of 8 boxes; raise it",
    ),
    "fewer maps left than data": (
        {"covariance.boxes": 16, "lightcone.realisations_per_box": 2, "left_out_seeds": [100000, 100001, 100005]},
        "covariance.boxes: 13 boxes of 2 maps make 26 maps, too few for the covariance of the 23 data of combined, "
        "which needs 28 or more; raise covariance.boxes to 24",
    ),
    "fewer maps than data": (
        {"covariance.boxes": 8, "lightcone.realisations_per_box": 3},
        "covariance.boxes: 8 boxes of 3 maps make 24 maps, too few for the covariance of the 23 data of "
        "combined, "
        "which needs 28 or more; raise covariance.boxes to 16",
    ),
    # parameters and statistics
    "unknown parameter": (
        {"forecast.parameters": ["Omega_c", "sigma_8"], "forecast.priors": {}},
        "forecast.parameters[1]: sigma_8 is not a parameter; did you mean sigma8?",
    ),
    "parameter twice": (
        {"forecast.parameters": ["h", "h"]},
        "forecast.parameters: h given more than once; keep one",
    ),
    "prior on an unknown parameter": (
        {"forecast.priors.b_1": 3.0},
        "forecast.priors.b_1: b_1 is not a parameter; allowed: Omega_c, Omega_b, h, n_s, sigma8, w0, wa, A_IA, eta, "
        "log10_T_AGN, delta_z, m",
    ),
    "feedback without baryons": (
        {"forecast.parameters": ["h", "log10_T_AGN"], "forecast.priors": {}, "finite_differences.steps": {"h": 0.1}},
        "forecast.parameters: log10_T_AGN needs baryons; set systematics.baryons.kind to hmcode2020 or remove it",
    ),
    "evolution of alignments that are not there": (
        {"forecast.parameters": ["h", "eta"], "forecast.priors": {}, "finite_differences.steps": {"h": 0.1}},
        "forecast.parameters: eta changes nothing at systematics.A_IA = 0; give another A_IA or remove eta",
    ),
    "no cosmological parameter": (
        {"forecast.parameters": ["A_IA"], "forecast.priors": {}, "finite_differences.steps": {}},
        "forecast.parameters: none is cosmological; add one or more of Omega_c, Omega_b, h, n_s, sigma8, w0, wa",
    ),
    "priors of other sources": (
        {
            "forecast.parameters": ["h", "m"],
            "forecast.priors": {"m": [0.1, 0.1]},
            "finite_differences.steps": {"h": 0.1},
        },
        "forecast.priors.m: a list of 2 given; give one number, or a list of 1",
    ),
    "priors of a parameter that sources share": (
        {"forecast.priors": {"w0": [0.1]}},
        "forecast.priors.w0: a list of 1 given; give one number",
    ),
    "feedback beyond its fit": (
        {"systematics.baryons": {"kind": "hmcode2020", "log10_T_AGN": 9}},
        "systematics.baryons.log10_T_AGN: 9 given; must be a number >= 7.6 and <= 8.3 (strength of "
        "baryonic feedback, log10 of the temperature of AGN heating [K])",
    ),
    "kind of sources": (
        {"survey.sources.kind": "gaussian"},
        "survey.sources.kind: 'gaussian' given; must be one of planes, smail, table (redshifts of the sources: planes, "
        "smail, or table)",
    ),
    "prior on a fixed parameter": (
        {"forecast.priors.wa": 2.0},
        "forecast.priors.wa: wa is not in forecast.parameters (Omega_c, sigma8, w0); add it there or remove this line",
    ),
    "step missing": (
        {"finite_differences.steps.w0": ...},
        "finite_differences.steps.w0: missing; give the step of w0, above 0",
    ),
    "step too large": (
        {"finite_differences.steps.Omega_c": 0.5},
        "finite_differences.steps.Omega_c: 0.5 takes Omega_c to -0.2411 and 0.7589, out of its range; give less",
    ),
    "unknown statistic": (
        {"forecast.data_vectors.peaks": ["peak"]},
        "forecast.data_vectors.peaks[0]: peak is not a statistic of this config; did you mean peaks?",
    ),
    "name of a data vector": (
        {"forecast.data_vectors": {"C ell": ["power_spectrum"]}},
        "forecast.data_vectors.C ell: 'C ell' given; must be a name of at most 100 letters, digits and _",
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSALS.values(), ids=REFUSALS.keys())
def test_config_refuses(changes: dict[str, Any], line: str, refusal) -> None:
    assert refusal(changes) == [line]


PATCH = np.zeros((256, 256))
PATCH[:30] = 1


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (None, r"cannot be read \(.*No such file.*\); give the path of an array that numpy.save wrote"),
        (np.ones((64, 256)), "holds 64 x 256 values; give 256 x 256 numbers, one per pixel"),
        (np.ones((1, 256, 256)), "holds 1 x 256 x 256 values; give 256 x 256 numbers, one per pixel"),
        (np.float64(1), "holds 1 values; give 256 x 256 numbers, one per pixel"),
        (np.full((256, 256), None), "holds 256 x 256 values of Python objects, which are never loaded; give .*"),
        (np.ones((256, 256), complex), "holds 256 x 256 values of type complex128; give .*"),
        (
            np.where(PATCH > 0, np.nan, 1),
            "has 7680 values that are not finite, the first in row 0, column 0; .*",
        ),
        (27.5 * (1 - PATCH), "has the mean 27.5 where it is not masked, as counts .*: divide the map by 27.5"),
        (27 * (1 - PATCH).astype(int), "has the mean 27 where it is not masked, as counts .*: divide the map by 27"),
        (0.01 * (1 - PATCH), "has the mean 0.01 where it is not masked, as counts .*: divide the map by 0.01"),
        (1e308 * (1 - PATCH), r"has the mean 1e\+308 where it is not masked, .*: divide the map by 1e\+308"),
        (np.full((256, 256), "a"), "holds 256 x 256 values of type <U1; give 256 x 256 numbers, one per pixel"),
        (PATCH - 0.5, "has 57856 values below 0, or above it and below 0.001 of the largest; give 0 .*"),
        (PATCH + 1e-4, "has 57856 values below 0, or above it and below 0.001 of the largest; give 0 .*"),
        (PATCH, "masks all pixels inside the border of 38; unmask some"),
    ],
)
def test_config_refuses_a_map_of_the_depth_that_does_not_fit(
    depth: np.ndarray | None, message: str, tmp_path: Path, refusal
) -> None:
    path = tmp_path / "depth.npy"
    if depth is not None:
        np.save(path, depth)
    (line,) = refusal({"survey.depth": {"kind": "map", "file": str(path), "max_masked": 0.2}})
    assert re.fullmatch(rf"survey.depth.file: {path} {message}", line)


FILES = {
    b"": "is empty; give an array that numpy.save wrote",
    b"1 2 3\n": "is no array; give one that numpy.save wrote",
    b"\x1f\x8b\x08": r"is compressed by gzip: decompress it \(gunzip\)",
    b"\x80\x04\x95": "is a pickle, which is never loaded: save the array with numpy.save",
    b"\x93NUMPY": "is damaged .*; save it again",
    b"\x93NUMPY\x01\x00\x10\x00{'descr': 7}     ": "is damaged .*; save it again",
}


def test_planes_so_thin_that_no_number_of_them_is_enough_are_refused_with_the_box(refusal) -> None:
    first, *_ = refusal({"simulation.box_size": 0.2, "lightcone.field_deg": 0.002})
    assert first == (
        "lightcone.planes: 22 planes of 0.1 Mpc/h end at chi = 2, before the sources at z = 0.914 (chi = 2154); raise "
        "simulation.box_size"
    )


def huge(shape: str) -> bytes:
    """A file whose head says a shape, and which ends there."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *FILES.items(),
        (huge("(10000000, 10000000)"), "holds 10000000 x 10000000 values; give 256 x 256 numbers, one per pixel"),
        (huge("(256, 256)"), "has 0 bytes of values, and its head says 524288; save or copy it again"),
        (b"SIMPLE  =                    T".ljust(2880), r"is FITS, which astropy reads; install it \(pip .*"),
    ],
)
def test_config_names_what_a_file_of_the_depth_is(
    content: bytes, message: str, tmp_path: Path, refusal, monkeypatch
) -> None:
    for name in ("astropy", "astropy.io", "astropy.io.fits"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "depth.npy"
    path.write_bytes(content)
    (line,) = refusal({"survey.depth": {"kind": "map", "file": str(path), "max_masked": 0.2}})
    assert re.fullmatch(rf"survey.depth.file: {path} {message}", line)


def test_config_refuses_an_archive_and_a_folder_as_depth(tmp_path: Path, refusal) -> None:
    np.savez_compressed(tmp_path / "depth.npz", depth=np.ones((256, 256)))
    for name, message in (
        ("depth.npz", "is an archive (.npz or .zip): save the array alone, with numpy.save"),
        ("", "is a folder or a device; give the path of a file"),
    ):
        path = str(tmp_path / name)
        (line,) = refusal({"survey.depth": {"kind": "map", "file": path, "max_masked": 0.2}})
        assert line == f"survey.depth.file: {path} {message}"


class FITSImage:
    """What astropy gives of an image."""

    is_image, shape, data = True, (256, 256), np.full((256, 256), 0.75, ">f4")


def test_depth_in_fits_is_read_where_astropy_is_installed(tmp_path: Path, changed, monkeypatch) -> None:
    def open_file(path: str, memmap: bool) -> nullcontext:
        return nullcontext([SimpleNamespace(is_image=True, shape=()), FITSImage()])

    fits = SimpleNamespace(open=open_file)
    modules = {"astropy": SimpleNamespace(), "astropy.io": SimpleNamespace(fits=fits), "astropy.io.fits": fits}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    path = tmp_path / "depth.fits"
    path.write_bytes(b"SIMPLE  =                    T")
    experiment = load(changed({"survey.depth": {"kind": "map", "file": str(path), "max_masked": 0.2}}))
    depth = observation(experiment).noise.depth
    assert (depth.shape, depth.dtype, depth[3, 4]) == ((256, 256), np.float64, 0.75)


def test_depth_in_fits_is_read_as_astropy_writes_it(tmp_path: Path, changed) -> None:
    fits = pytest.importorskip("astropy.io.fits", reason="the extra `fits` is not installed")
    depth = np.random.default_rng(0).uniform(0.5, 1.5, (256, 256)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(depth)]).writeto(tmp_path / "depth.fits")
    section = {"kind": "map", "file": str(tmp_path / "depth.fits"), "max_masked": 0.2}
    np.testing.assert_array_equal(observation(load(changed({"survey.depth": section}))).noise.depth, depth)


def test_config_takes_a_map_of_the_depth(tmp_path: Path, changed) -> None:
    np.save(tmp_path / "depth.npy", np.where(PATCH > 0, 0, 1.5))
    depth = {"kind": "map", "file": str(tmp_path / "depth.npy"), "max_masked": 0.0}
    assert load(changed({"survey.depth": depth})).survey.depth.model_dump() == depth
