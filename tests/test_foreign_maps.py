"""Maps of other codes through the statistics."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from lenscast import experiment
from lenscast.bins import bin_table
from lenscast.experiment import ConfigError, read_map_campaign
from lenscast.experiment.observation import observation
from lenscast.fisher.arrays import central_differences
from lenscast.foreign_maps import measure_campaign, read_maps
from lenscast.measurement import noise_alone, summarise

CONFIG = Path(__file__).parent / "workflow/config.yaml"
STEP = 0.05


@pytest.fixture(scope="module")
def tiny():
    """An experiment with the pixels, the survey and the statistics of the maps."""
    return experiment.read(CONFIG)


@pytest.fixture(scope="module")
def kappa():
    return np.random.default_rng(0).normal(0, 0.02, (4, 64, 64)).astype("f4")


@pytest.fixture
def described(tmp_path, tiny, kappa):
    """Function from changes to the path of a description; one parameter is the amplitude of the maps."""
    for name, factor in (("fiducial", 1), ("plus", 1 + STEP), ("minus", 1 - STEP)):
        np.save(tmp_path / f"{name}.npy", (factor * kappa).astype("f4"))

    def write(**changes):
        given = {
            "run": "mine",
            "pixel_arcmin": 60 * 5 / 64,
            "maps": [str(tmp_path / "fiducial.npy")],
            "maps_per_box": 2,
            "differences": {
                "amplitude": {
                    "plus": [str(tmp_path / "plus.npy")],
                    "minus": [str(tmp_path / "minus.npy")],
                    "step": STEP,
                }
            },
            "fiducial": {"amplitude": 1.0},
            "priors": {"amplitude": 0.3},
            "noise_realisations": 3,
            "survey": {"area_deg2": 1000.0, "sigma_e": 0.26, "n_gal": [20.0]},
            "statistics": tiny.model_dump(mode="json", exclude_none=True)["statistics"],
        }
        path = tmp_path / "maps.yaml"
        path.write_text(yaml.safe_dump(given | changes, sort_keys=False))
        return path

    return write


@pytest.mark.slow
def test_data_vectors_are_those_of_the_pipeline(described, tiny, kappa):
    found = measure_campaign(read_map_campaign(described()))
    assert found["bin"] == bin_table(tiny)["name"].tolist()
    np.testing.assert_array_equal(found["summary_box"], [0, 0, 1, 1])
    for number, each in enumerate(kappa):
        box, realisation = divmod(number, 2)
        expected = summarise(jnp.asarray(each[None]), box, realisation, tiny).measured
        np.testing.assert_allclose(found["summaries"][number], expected, rtol=1e-5)
    maps = jnp.asarray((1 + STEP) * kappa)
    shifted = [summarise(each[None], i // 2, i % 2, tiny, 3).expected for i, each in enumerate(maps)]
    np.testing.assert_allclose(found["plus"][:, 0], np.reshape(shifted, (2, 2, -1)).mean(axis=1), rtol=1e-4)
    region, noise = observation(tiny)
    assert found["area_ratio"] == pytest.approx(1000 / noise.area_deg2(region))


@pytest.mark.slow
def test_spectra_have_the_derivative_of_a_square(described, tiny):
    found = measure_campaign(read_map_campaign(described()))
    jacobian = central_differences(found["plus"], found["minus"], found["step"])
    spectra = np.array(found["statistic"]) == "power_spectrum"
    # C_ell goes as the square of the amplitude, and a central difference of a square is exact
    signal = (found["plus"] + found["minus"])[:, 0, spectra] / 2 - noise_alone(tiny)[spectra]
    np.testing.assert_allclose(jacobian[:, 0, spectra], 2 * signal / (1 + STEP**2), rtol=1e-4)


def test_maps_without_differences_have_data_vectors_alone(described):
    found = measure_campaign(read_map_campaign(described(differences={}, fiducial={}, priors={})))
    assert found["summaries"].shape[0] == 4
    assert "plus" not in found


def test_stacks_have_axes_of_maps_and_sources(tmp_path, kappa):
    np.save(tmp_path / "one.npy", kappa[0])
    np.save(tmp_path / "two.npy", np.stack([kappa, kappa], axis=1))
    paths = [str(tmp_path / f"{name}.npy") for name in ("one", "two")]
    assert read_maps(paths[:1], 1).shape == (1, 1, 64, 64)
    assert read_maps(paths[1:] * 2, 2).shape == (8, 2, 64, 64)
    with pytest.raises(ValueError, match="has the shape 64 x 64; give square maps with the axes map source y x, of 2"):
        read_maps(paths[:1], 2)


def test_fits_images_are_read(tmp_path, kappa):
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(kappa).writeto(tmp_path / "maps.fits")
    np.testing.assert_array_equal(read_maps([str(tmp_path / "maps.fits")], 1)[:, 0], kappa)


def test_wrong_maps_are_one_clear_error(described, tmp_path, kappa):
    np.save(tmp_path / "nan.npy", np.where(np.arange(4)[:, None, None] == 2, np.nan, kappa))
    np.save(tmp_path / "small.npy", kappa[:, :32, :32])
    sides = {"plus": [str(tmp_path / "plus.npy")], "minus": [str(tmp_path / "minus.npy")], "step": STEP}
    np.save(tmp_path / "few.npy", kappa[:2])
    for changes, message in (
        ({"maps": [str(tmp_path / "nan.npy")]}, r"nan.npy has 4096 values that are not finite, .*map 2"),
        ({"maps_per_box": 3}, r"4 maps are not whole boxes of 3"),
        (
            {"differences": {"amplitude": sides | {"minus": [str(tmp_path / "small.npy")]}}},
            r"small.npy has maps of 1 x 32 x 32, fiducial ones have 1 x 64 x 64",
        ),
        (
            {"differences": {"amplitude": sides | {"minus": [str(tmp_path / "few.npy")]}}},
            r"differences: 1 and 2 boxes; give maps of the same seeds",
        ),
        ({"pixel_arcmin": 20.0}, r"statistics\.\w+\.\w+: "),
        ({"maps": [str(tmp_path / "absent.npy")]}, "absent.npy cannot be read"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            measure_campaign(read_map_campaign(described(**changes)))
        assert "\n" not in str(error.value)


def test_wrong_descriptions_name_the_key(described):
    for changes, message in (
        ({"pixel_arcmin": -1.0}, "pixel_arcmin: -1.0"),
        ({"pixels_arcmin": 1.0}, "unknown key; did you mean pixel_arcmin"),
        ({"fiducial": {}}, "differences of amplitude, but no fiducial value"),
        ({"priors": {"other": 1.0}}, "prior of other, but no differences"),
        ({"survey": {"area_deg2": 1.0, "sigma_e": 0.3}}, "survey.n_gal: missing"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_map_campaign(described(**changes))
