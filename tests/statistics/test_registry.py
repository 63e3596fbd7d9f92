import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.experiment import ConfigError, Experiment, complete, load, read
from lenscast.experiment.observation import data_length, observation, region
from lenscast.statistics import Observation, Peaks, PowerSpectrum, Region, ShapeNoise, Statistic, registry
from lenscast.statistics.registry import STATISTICS, code_object, statistic_class, statistics_from_config

REPOSITORY = Path(__file__).parents[2]
ELL_EDGES = [300.0, 900.0, 2000.0]
SECTIONS = {
    "power_spectrum": {"ell_edges": ELL_EDGES},
    "starlet_power_spectrum": {"scales_arcmin": [9.33, 18.79], "ell_edges": ELL_EDGES},
    "peaks": {"scales_arcmin": [4.7, 9.4], "snr_edges": [0.0, 2.0], "stencil": "scale", "counts": "hard"},
}
SIGMA = 0.05
# level 3 reaches 14 pixels, and its neighbours are 4 pixels away
OBSERVATION = Observation(Region(96, 1.875, 18), ShapeNoise((SIGMA, SIGMA)))
MINIMA = '''
"""Counts of pixels below minus some multiples of the rms of the noise."""

from typing import Annotated, Any, ClassVar

from jaxtyping import Float, Float64
from pydantic import Field

from lenscast.statistics import Bin, Observation, Statistic


class Minima(Statistic):
    """Counts of pixels with S/N below each threshold; smooth, so that they have a derivative."""

    label: ClassVar[str] = "minima"
    axis: ClassVar[str] = "S/N"

    thresholds: tuple[float, ...] = Field(min_length=1, description="S/N of the thresholds")

    def reach(self, pixel_arcmin: float) -> int:
        return 3

    def bins(self, observation: Observation) -> list[Bin]:
        return [
            Bin(
                statistic=self.name,
                source_1=source,
                source_2=None,
                scale_arcmin=None,
                low=None,
                high=threshold,
                centre=threshold,
                unit="pixels",
            )
            for source in range(observation.noise.sources)
            for threshold in self.thresholds
        ]

    def measured(self, kappa, noise, observation):
        return self.expected(kappa, noise, observation)

    def expected(self, kappa, noise, observation):
        import jax
        import jax.numpy as jnp

        snr = observation.region.crop(observation.noise.snr(kappa + noise)).astype(jnp.float64)
        thresholds = jnp.array(self.thresholds)[None, :, None, None]
        return jax.nn.sigmoid(10 * (thresholds - snr[:, None])).sum(axis=(-2, -1)).ravel()
'''


@pytest.fixture
def minima(tmp_path):
    """File of a statistic outside the package."""
    file = tmp_path / "minima.py"
    file.write_text(MINIMA)
    return file


def experiment(statistics, **changes):
    """The small experiment of the workflow's tests with maps of 96 pixels and these statistics."""
    base = str(REPOSITORY / "tests" / "workflow" / "config.yaml")
    changed = complete({"base": base, "lightcone": {"pixels": 96, "field_deg": 1.875}, **changes})
    return Experiment.model_validate(changed | {"statistics": statistics})


def in_config(statistics):
    """Read a config with these statistics in place of its own, all in one data vector, with all checks."""
    mapping = complete({"base": str(REPOSITORY / "tests" / "workflow" / "config.yaml")})
    changed = {
        "statistics": statistics,
        "forecast": {"parameters": ["sigma8"], "priors": {}, "data_vectors": {"all": [*statistics]}},
        "finite_differences": {"steps": {"sigma8": 0.015}, "boxes": 4, "noise_realisations": 1},
    }
    return load(mapping | changed)


def test_statistics_of_a_config_share_the_region_that_the_peaks_leave():
    made = experiment(SECTIONS)
    assert [each.name for each in made.statistics.values()] == list(made.statistics) == list(SECTIONS)
    assert region(made) == OBSERVATION.region
    assert region(made).area_deg2 == pytest.approx((60 * 5 / 256) ** 2)
    assert observation(made).region == region(made)
    np.testing.assert_allclose(observation(made).noise.rms, 0.26 / (20**0.5 * 1.875 * 60 / 96))


def test_statistics_without_filtered_maps_use_all_of_the_map():
    spectra = {name: SECTIONS[name] for name in ("power_spectrum", "starlet_power_spectrum")}
    assert region(experiment(spectra)).border == 0


def test_spectra_depend_on_the_region_alone_and_peaks_on_its_border_too():
    kappa, noise = SIGMA * jax.random.normal(jax.random.key(0), (2, 1, 96, 96), jnp.float32)
    made, observed = statistics_from_config(SECTIONS).values(), Observation(OBSERVATION.region, ShapeNoise((SIGMA,)))
    measured = jax.jit(lambda maps: [each.measured(maps, noise, observed) for each in made])
    inside, changed = measured(kappa), measured(kappa.at[:, :18].add(1.0))
    assert [bool(np.array_equal(*pair)) for pair in zip(inside, changed, strict=True)] == [True, True, False]


def test_statistics_of_the_default_config_make_its_data_vectors():
    default = read(REPOSITORY / "config.yaml")
    for name, statistic in default.statistics.items():
        assert isinstance(statistic, statistic_class(name))
        assert data_length(default, [name]) == len(statistic.bins(observation(default)))
    everything = [*default.statistics]
    assert data_length(default, everything) == sum(data_length(default, [name]) for name in everything)


def test_statistics_together_have_a_finite_jacobian():
    kappa, noise, *tangents = SIGMA * jax.random.normal(jax.random.key(1), (5, 2, 96, 96), jnp.float32)
    made = statistics_from_config(SECTIONS).values()

    @jax.jit
    def jacobian(tangent):
        summary = lambda maps: jnp.concatenate([each.expected(maps, noise, OBSERVATION) for each in made])  # noqa: E731
        return jax.jvp(summary, (kappa,), (tangent,))

    values, rows = jax.vmap(jacobian, out_axes=(None, 0))(jnp.stack(tangents))
    bins = [each for one in made for each in one.bins(OBSERVATION)]
    assert rows.shape == (3, len(bins))
    assert values.dtype == rows.dtype == jnp.float64
    assert np.isfinite(values).all()
    assert np.isfinite(rows).all()
    assert (np.abs(rows).max(axis=0) > 0).all()


@pytest.mark.parametrize(
    ("sections", "match"),
    [
        (
            {"power_spectrun": {}},
            r"statistics\.power_spectrun: power_spectrun is .*; did you mean power_spectrum\?",
        ),
        ({"voids": {}}, r"statistics\.voids: voids is not a statistic; allowed: power_spectrum, starlet_power"),
        ({"mine": {"kind": "peak"}}, r"statistics\.mine: peak is not a statistic; did you mean peaks\?"),
        ({"mine": {"kind": ["peaks"]}}, r"statistics\.mine\.kind: \['peaks'\] given; must be a text"),
        ({"mine": {"file": [3]}}, r"statistics\.mine\.file: \[3\] given; must be a text"),
        (
            {"power_spectrum": {"edges": ELL_EDGES}},
            r"statistics\.power_spectrum\.edges: unknown key; did you mean ell_edges\?",
        ),
        ({"power_spectrum": {}}, r"statistics\.power_spectrum\.ell_edges: missing; give a list"),
        ({"power_spectrum": [3.0]}, r"statistics\.power_spectrum: \[3.0\] given; must be a section"),
        ({}, r"statistics: \{\} given; must be a section with one or more of power_spectrum, starlet_power_spectrum"),
        ({"peaks": SECTIONS["peaks"] | {"scales_arcmin": [7.0]}}, r"statistics\.peaks\.scales_arcmin: 7 arcmin is not"),
        (
            {"peaks": SECTIONS["peaks"] | {"scales_arcmin": [75]}},
            r"statistics\.peaks\.scales_arcmin: 75 arcmin reaches 38 pixels .* leaves 0 of 64; allowed: 9.375, 18.75",
        ),
        (
            {"power_spectrum": {"ell_edges": [20.0, 50.0, 900.0]}},
            r"statistics\.power_spectrum\.ell_edges: no mode in 20 <= ell < 50: .* 72 apart; widen the bin",
        ),
    ],
)
def test_statistics_refuse_a_config_that_the_maps_do_not_allow(sections, match):
    with pytest.raises(ConfigError, match=match):
        in_config(sections)


def test_region_refuses_a_border_that_leaves_less_than_a_quarter():
    with pytest.raises(ValueError, match="a border of 78 pixels leaves 0 of 96 pixels per side, less than a quarter"):
        Region(96, 1.875, 78)


def test_a_kind_may_stand_under_any_name_and_more_than_once():
    sections = {
        "fine": SECTIONS["power_spectrum"] | {"kind": "power_spectrum"},
        "coarse": {"kind": "power_spectrum", "ell_edges": [300.0, 2000.0]},
    }
    made = in_config(sections).statistics
    assert all(type(each) is PowerSpectrum for each in made.values())
    observed = Observation(Region(96, 1.875, 0), ShapeNoise((SIGMA,)))
    assert [each["statistic"] for one in made.values() for each in one.bins(observed)] == ["fine", "fine", "coarse"]
    maps = jax.random.normal(jax.random.key(2), (1, 96, 96), jnp.float32)
    fine, coarse = (each.measured(maps, maps, observed) for each in made.values())
    assert fine.min() < coarse[0] < fine.max()


def test_sections_of_the_same_kind_differ_by_their_names_and_keys():
    first, second = (
        statistics_from_config({name: SECTIONS["power_spectrum"]})[name] for name in 2 * ["power_spectrum"]
    )
    assert first == second
    assert hash(first) == hash(second)
    renamed = statistics_from_config({"other": SECTIONS["power_spectrum"] | {"kind": "power_spectrum"}})["other"]
    assert renamed != first


def test_a_statistic_in_a_file_outside_the_package_is_loaded_and_measured(minima):
    made = in_config({"minima": {"file": str(minima), "thresholds": [-1.0, -2.0]}})
    statistic = made.statistics["minima"]
    assert isinstance(statistic, Statistic)
    assert type(statistic).__name__ == "Minima"
    assert code_object(statistic) == str(minima)
    observed = observation(made)
    assert observed.region.border == 3
    noise = 0.02 * jax.random.normal(jax.random.key(3), (1, 64, 64), jnp.float32)
    counts = statistic.measured(jnp.zeros_like(noise), noise, observed)
    snr = observed.region.crop(np.asarray(noise)) / observed.noise.rms[0]
    np.testing.assert_allclose(counts, [np.sum(snr < -1), np.sum(snr < -2)], rtol=0.2)
    # keys of the section are checked as those of any other
    with pytest.raises(ConfigError, match=r"statistics\.minima\.threshold: unknown key; did you mean thresholds\?"):
        in_config({"minima": {"file": str(minima), "threshold": [-1.0]}})


def test_files_of_the_same_name_in_different_folders_are_different_modules(tmp_path):
    classes = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "minima.py"
        file.write_text(f"{MINIMA}\n\nFOLDER = {name!r}\n")
        classes.append(statistic_class("mine", str(file)))
    assert [sys.modules[each.__module__].FOLDER for each in classes] == ["one", "other"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("from lenscast.statistics import Statistic\n", "defines 0 classes of lenscast.statistics.Statistic; give a "),
        (
            MINIMA + "\n\nclass More(Minima):\n    pass\n",
            "defines 2 classes of lenscast.statistics.Statistic; give",
        ),
        ("def broken(:\n", r"cannot be imported: SyntaxError: .*\(own\.py, line 1\)"),
        ("raise RuntimeError('no luck')\n", "cannot be imported: RuntimeError: no luck"),
        (None, "there is no such Python file; give the path of one that defines a statistic"),
    ],
    ids=["none", "two", "syntax", "raises", "missing"],
)
def test_a_file_that_is_not_one_statistic_gives_one_error(text, match, tmp_path):
    file = tmp_path / "own.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=rf"statistics\.own.*{match}") as caught:
        in_config({"own": {"file": str(file), "thresholds": [-1.0]}})
    assert len([each for each in caught.value.problems if each.key.startswith("statistics")]) == 1


def test_an_entry_point_brings_a_statistic(minima, monkeypatch):
    module = "minima_of_a_package"
    (minima.parent / f"{module}.py").write_text(MINIMA)
    monkeypatch.syspath_prepend(minima.parent)
    points = {"valleys": f"{module}:Minima", "noise": f"{module}:Field", "gone": "no_such_package:Minima"}

    def entry_points(group):
        return [EntryPoint(name, value, group) for name, value in points.items()]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    made = statistics_from_config({"valleys": {"thresholds": [-1.0]}})["valleys"]
    assert (type(made).__module__, type(made).__name__, made.name) == (module, "Minima", "valleys")
    # the version of the other package stands for its code
    assert code_object(made) is None
    with pytest.raises(ConfigError, match=r"\.valley: valley is not a statistic; did you mean valleys\?"):
        statistics_from_config({"valley": {}})
    with pytest.raises(ConfigError, match=r"\.noise: the entry point noise of lenscast.statistics is no class of"):
        statistics_from_config({"noise": {}})
    with pytest.raises(ConfigError, match=r"\.gone: the entry point gone .* cannot be imported: ModuleNotFoundError"):
        statistics_from_config({"gone": {}})


def test_an_entry_point_does_not_replace_a_statistic_of_lenscast(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint("peaks", "json:JSONDecoder", group)])
    assert statistic_class("peaks") is Peaks


def test_code_of_a_statistic_of_lenscast_is_its_class():
    for name, section in SECTIONS.items():
        assert code_object(statistics_from_config({name: section})[name]) == STATISTICS[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import lenscast.statistics",
        "import lenscast.experiment",
        f"from lenscast.experiment import read; read({str(REPOSITORY / 'config.yaml')!r})",
        "from lenscast.statistics.registry import STATISTICS, statistic_class; [*map(statistic_class, STATISTICS)]",
    ],
)
def test_statistics_and_experiments_are_read_without_jax(code):
    program = f"import sys; {code}; sys.exit('jax' in sys.modules)"
    # -c does not import what the tests' own process has imported already
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)
