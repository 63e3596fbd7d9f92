"""Exports, read back by the codes that they are for."""

import logging
import re
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from lenscast import exports
from lenscast.exports.sacc_file import number_density
from lenscast.fisher.arrays import forecast_arrays
from lenscast.io import load_arrays
from lenscast.parameters import PARAMETERS
from lenscast.sources import source_planes, tomographic

VECTORS = ("C_ell", "peaks", "combined")


def gaussian_errors(jacobian, covariance, priors):
    """Marginal errors of a Gaussian likelihood with Gaussian priors, from the curvature of its logarithm."""
    return np.sqrt(np.diag(np.linalg.inv(jacobian @ np.linalg.inv(covariance) @ jacobian.T + np.diag(priors))))


@pytest.mark.slow
def test_headline_jacobian_has_the_information_of_the_headline(files):
    for each in files.values():
        made = each.headline_jacobian
        information = made @ np.linalg.inv(each.survey_covariance) @ made.T
        scale = np.sqrt(np.outer(np.diag(each.headline), np.diag(each.headline)))
        assert np.max(np.abs(information - each.headline) / scale) < 1e-8
        # and is close to the mean one, whose information is larger by the noise only
        assert np.corrcoef((made / each.mean).ravel(), (each.jacobian / each.mean).ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_sacc_file_and_a_gaussian_likelihood_give_the_errors_of_the_forecast(
    files, samples, described, sigma, tmp_path
):
    sacc = pytest.importorskip("sacc")
    for name in VECTORS:
        path = tmp_path / f"{name}.sacc.fits"
        exports.save_sacc(path, files[name], described, samples.summaries.box)
        read = sacc.Sacc.load(str(path))
        names = read.metadata["parameters"].split()
        assert tuple(names) == files[name].names
        priors = np.array([read.metadata.get(f"prior_{each}", np.inf) ** -2.0 for each in names])
        for tag, estimator in (("headline_derivative", "cross"), ("derivative", "standard")):
            jacobian = np.array([[point.tags[f"{tag}_{each}"] for point in read.data] for each in names])
            found = gaussian_errors(jacobian, read.covariance.dense, priors)
            np.testing.assert_allclose(found, sigma(name, estimator), rtol=1e-6)


def test_sacc_file_says_what_its_data_are(files, samples, described, tmp_path):
    sacc = pytest.importorskip("sacc")
    exports.save_sacc(tmp_path / "all.fits", files["combined"], described, samples.summaries.box)
    read = sacc.Sacc.load(str(tmp_path / "all.fits"))
    assert read.get_data_types() == ["galaxy_convergence_cl", "galaxy_convergence_peak_count"]
    spectra = described.statistics["power_spectrum"]
    ell, c_ell = read.get_ell_cl("galaxy_convergence_cl", "source_0", "source_1")
    assert len(ell) == len(spectra.ell_edges) - 1
    rows = (files["combined"].bins["source_1"] == 0) & (files["combined"].bins["source_2"] == 1)
    np.testing.assert_allclose(c_ell, files["combined"].mean[rows], rtol=1e-12)  # a cross spectrum has no noise
    # the noise of an auto-spectrum is sigma_e^2 / n, with n in galaxies per steradian
    noise = read.get_tag("noise", "galaxy_convergence_cl", ("source_1", "source_1"))
    np.testing.assert_allclose(noise, 0.26**2 / (20 * (60 * 180 / np.pi) ** 2), rtol=1e-2)
    assert read.metadata["area_deg2"] == described.survey.area_deg2
    numbers = {"maps": 300, "boxes_of_covariance": 300, "boxes_of_derivatives": 12}
    assert {name: read.metadata[name] for name in numbers} == numbers
    assert read.get_tracer("source_1").metadata["n_gal"] == 20.0
    z, n = read.get_tracer("source_1").z, read.get_tracer("source_1").nz
    assert np.trapezoid(n, z) == pytest.approx(1)
    assert np.trapezoid(z * n, z) == pytest.approx(0.914)


def test_files_have_the_third_source_of_a_moment(files, samples, described, tmp_path):
    bins = files["combined"].bins.assign(source_3=np.nan)
    bins.loc[2, "source_3"] = 1
    forecasts = {"combined": files["combined"]._replace(bins=bins)}
    exports.save_dataset(tmp_path / "forecast.h5", samples, forecasts, described, {})
    with h5py.File(tmp_path / "forecast.h5") as file:
        np.testing.assert_array_equal(file["combined/source_3"], bins["source_3"])
        assert "source_3" not in file
    sacc = pytest.importorskip("sacc")
    exports.save_sacc(tmp_path / "all.fits", forecasts["combined"], described, samples.summaries.box)
    read = sacc.Sacc.load(str(tmp_path / "all.fits"))
    # fewer than the most tracers of a type are filled up with empty names
    tracers = {tuple(filter(None, point.tracers)) for point in read.data}
    assert {len(each) for each in tracers} == {1, 2, 3}


def test_redshift_distribution_keeps_its_mean():
    bins = tomographic(0.26, 0.94, 3, 0.05, 3.0)
    for source in range(3):
        z, n = number_density(bins, source)
        assert np.trapezoid(n, z) == pytest.approx(1, rel=1e-4)
        assert np.trapezoid(z * n, z) == pytest.approx(bins.mean[source], rel=1e-4)
    z, n = number_density(source_planes([0.3, 0.8]), 1)
    assert np.trapezoid(z * n, z) == pytest.approx(0.8)


def test_getdist_reads_the_posterior(files, described, sigma, tmp_path):
    from getdist import loadMCSamples
    from getdist.covmat import CovMat
    from getdist.paramnames import ParamNames
    from getdist.parampriors import ParamBounds

    root = tmp_path / "C_ell"
    exports.save_getdist(root, files["C_ell"], described.fiducial)
    read = CovMat(f"{root}.covmat")
    assert tuple(read.paramNames) == files["C_ell"].names
    np.testing.assert_allclose(np.sqrt(np.diag(read.matrix)), sigma("C_ell"), rtol=1e-9)
    names = ParamNames(f"{root}.paramnames")
    assert names.list() == [*files["C_ell"].names, "S8"]
    assert names.parWithName("S8").isDerived
    assert names.parWithName("sigma8").label == r"\sigma_8"
    bounds = ParamBounds(f"{root}.ranges")
    limits = PARAMETERS["sigma8"].limits
    assert (bounds.getLower("sigma8"), bounds.getUpper("sigma8")) == (limits["ge"], limits["le"])
    assert bounds.getUpper("delta_z_1") is None
    exports.save_samples(root, files["C_ell"], described.fiducial, 20_000)
    samples = loadMCSamples(str(root), settings={"ignore_rows": 0})
    table = files["C_ell"].table
    rows = table[(table["estimator"] == "cross") & table["with_priors"] & (table["systematics"] == "marginalised")]
    expected = rows.set_index("parameter")["sigma"][[*files["C_ell"].names, "S8"]]
    # of 20 000 samples, the standard deviation is known to 0.5 %
    np.testing.assert_allclose([samples.std(name) for name in expected.index], expected, rtol=0.03)


def test_cobaya_proposes_with_the_covariance_of_the_posterior(files, described, sigma, tmp_path):
    pytest.importorskip("cobaya")
    from cobaya.model import get_model
    from cobaya.sampler import get_sampler
    from cobaya.yaml import yaml_load_file

    exports.save_getdist(tmp_path / "peaks", files["peaks"], described.fiducial)
    exports.save_cobaya(tmp_path / "peaks.cobaya.yaml", files["peaks"], str(tmp_path / "peaks.covmat"))
    info = yaml_load_file(str(tmp_path / "peaks.cobaya.yaml"))
    logging.disable()
    try:
        model = get_model({**info, "likelihood": {"one": None}})
        sampler = get_sampler(info["sampler"], model)
    finally:
        logging.disable(logging.NOTSET)
    assert tuple(model.parameterization.sampled_params()) == files["peaks"].names
    np.testing.assert_allclose(sampler._initial_covmat, files["peaks"].posterior.matrix, rtol=1e-9)
    # Gaussian priors are the forecast's
    logprior = model.logprior(
        {**dict(zip(files["peaks"].names, files["peaks"].fiducial, strict=True)), "delta_z_1": 0.01}
    )
    at_centre = model.logprior(dict(zip(files["peaks"].names, files["peaks"].fiducial, strict=True)))
    assert at_centre - logprior == pytest.approx(0.5)


def test_cosmosis_file_is_that_of_its_fisher_sampler(files, sigma, tmp_path):
    for with_priors in (False, True):
        path = tmp_path / f"fisher_{with_priors}.txt"
        exports.save_cosmosis(path, files["C_ell"], with_priors)
        first, *rest = path.read_text().splitlines()
        assert first.split("\t") == [
            "#cosmological_parameters--omega_c",
            "cosmological_parameters--sigma_8",
            "wl_photoz_errors--bias_1",
            "wl_photoz_errors--bias_2",
        ]
        assert rest[:2] == ["#sampler=fisher", "#n_varied=4"]
        assert rest[2] == "#mu_0=0.2589"
        matrix = np.loadtxt(path)
        priors = np.zeros(4) if with_priors else np.diag(files["C_ell"].priors)
        errors = np.sqrt(np.diag(np.linalg.inv(matrix + np.diag(priors))))
        np.testing.assert_allclose(errors, sigma("C_ell"), rtol=1e-9)


@pytest.mark.slow
def test_cosmosis_postprocesses_its_file(files, sigma, tmp_path):
    pytest.importorskip("cosmosis")
    exports.save_cosmosis(tmp_path / "fisher.txt", files["C_ell"], True)
    words = ["--outdir", str(tmp_path / "made"), str(tmp_path / "fisher.txt")]
    command = [sys.executable, "-m", "cosmosis.postprocess", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.findall(r"(\S+) = (\S+) ± (\S+)", done.stdout)
    assert [name.partition("--")[2] for name, *_ in found] == ["omega_c", "sigma_8", "bias_1", "bias_2"]
    np.testing.assert_allclose([float(mean) for _, mean, _ in found], files["C_ell"].fiducial, rtol=1e-5)
    np.testing.assert_allclose([float(error) for *_, error in found], sigma("C_ell"), rtol=1e-5)


def test_latex_table_marks_what_is_not_converged(files, tmp_path):
    exports.save_latex(tmp_path / "parameters.tex", files)
    lines = (tmp_path / "parameters.tex").read_text().splitlines()
    assert lines[2] == r"parameter & fiducial & $\sigma$ (C\_ell) & $\sigma$ (peaks) & $\sigma$ (combined) \\"
    (row,) = [line for line in lines if line.startswith(r"$\sigma_8$")]
    table = files["C_ell"].table
    first = table[(table["parameter"] == "sigma8") & (table["estimator"] == "cross") & table["with_priors"]].iloc[0]
    mark = "" if first["verdict"] == "converged" else r"^\dagger"
    assert row.split(" & ")[1:3] == ["0.8159", f"${first['sigma']:#.2g}{mark}$"]
    assert any(line.startswith("$S_8$") for line in lines)


def test_xarray_opens_the_dataset_with_named_dimensions(files, samples, described, sigma, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    seeds = str(list(range(50_000)))  # of a large campaign
    exports.save_dataset(tmp_path / "forecast.h5", samples, files, described, {"git_commit": "unknown", "seeds": seeds})
    with xarray.open_dataset(tmp_path / "forecast.h5", engine="h5netcdf") as root:
        assert root["summaries"].dims == ("map", "bin")
        assert root["jacobians"].dims == ("box", "parameter", "bin")
        np.testing.assert_array_equal(root["box"], samples.jacobians.box)
        chosen = root["jacobians"].sel(parameter="sigma8", box=3)
        np.testing.assert_array_equal(
            chosen, samples.jacobians.jacobian[3, samples.jacobians.parameters.index("sigma8")]
        )
        assert root["n_of_z"].dims == ("source", "z")
        np.testing.assert_allclose(root["n_of_z"].integrate("z"), 1, rtol=1e-6)
        assert root["prior"].sel(parameter="Omega_c") == 0.2
        assert np.isnan(root["prior"].sel(parameter="sigma8"))
        assert root.attrs["git_commit"] == "unknown"
        assert root.attrs["seeds"] == seeds
    for name in VECTORS:
        with xarray.open_dataset(tmp_path / "forecast.h5", engine="h5netcdf", group=name) as group:
            assert group["covariance"].dims == ("bin", "bin_2")
            information = group["fisher"] + group["prior_information"]
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            np.testing.assert_allclose(errors, sigma(name), rtol=1e-9)
            np.testing.assert_allclose(group["sigma"], sigma(name), rtol=1e-12)
            jacobian, inverse = group["jacobian"].values, np.linalg.inv(group["covariance"].values)
            standard = jacobian @ inverse @ jacobian.T
            np.testing.assert_allclose(standard * float(group["scale"]), group["fisher_standard"], rtol=1e-6, atol=1e-6)


def test_dataset_is_the_same_in_every_run(files, samples, described, tmp_path):
    for name in ("first", "second"):
        exports.save_dataset(tmp_path / name, samples, files, described, {})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_forecast_without_a_jacobian_is_refused(files, tmp_path):
    from lenscast.io import Variable, save

    save(tmp_path / "old.h5", {"mean": Variable(np.ones(2), ("bin",), "1", "mean")}, {"param": {"name": ["a"]}}, {})
    with pytest.raises(ValueError, match="has no Jacobian: it is of an earlier version; delete it"):
        exports.load_forecast_files(tmp_path / "old.h5", tmp_path / "old.csv")


def test_files_are_hdf5_with_scales(files, samples, described, tmp_path):
    exports.save_dataset(tmp_path / "forecast.h5", samples, files, described, {})
    with h5py.File(tmp_path / "forecast.h5") as file:
        assert [each[0].name for each in file["C_ell/covariance"].dims] == ["/C_ell/bin", "/C_ell/bin_2"]
        assert file["C_ell/bin"].is_scale


@pytest.mark.slow
def test_dataset_is_a_file_of_arrays_with_the_same_errors(files, samples, described, sigma, tmp_path):
    exports.save_dataset(tmp_path / "forecast.h5", samples, files, described, {})
    arrays = load_arrays(tmp_path / "forecast.h5")
    found = forecast_arrays(*arrays)["combined"].parameters
    rows = found[(found["estimator"] == "cross") & found["with_priors"]].set_index("parameter")
    # the data vector of arrays has band-passed spectra too: that of the run is compared with its statistics alone
    chosen = [name in ("power_spectrum", "peaks") for name in arrays.setting.statistics]
    kept = replace(
        arrays.setting,
        data=list(np.array(arrays.setting.data)[chosen]),
        statistics=list(np.array(arrays.setting.statistics)[chosen]),
    )
    same = forecast_arrays(arrays.summaries[:, chosen], arrays.jacobians[:, :, chosen], kept)
    for name, mine in (("C_ell", "power_spectrum"), ("peaks", "peaks"), ("combined", "combined")):
        table = same[mine].parameters
        of_arrays = table[(table["estimator"] == "cross") & table["with_priors"]].set_index("parameter")
        np.testing.assert_allclose(of_arrays.loc[list(files[name].names), "sigma"], sigma(name), rtol=1e-9)
    assert (rows["sigma"] > 0).all()
