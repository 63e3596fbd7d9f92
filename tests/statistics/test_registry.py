from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.config import read_config
from lenscast.statistics.registry import analysis_region, statistics_from_config
from lenscast.statistics.shape_noise import ShapeNoise

ELL_EDGES = [300.0, 900.0, 2000.0]
SECTIONS = {
    "power_spectrum": {"ell_edges": ELL_EDGES},
    "starlet_power_spectrum": {"scales_arcmin": [9.33, 18.79], "ell_edges": ELL_EDGES},
    "peaks": {"scales_arcmin": [4.7, 9.4], "snr_edges": [0.0, 2.0], "stencil": "scale", "counts": "hard"},
}
SIGMA = 0.05


def statistics(sections, pixels=96, n_sources=1):
    return statistics_from_config(sections, pixels, pixels * 5.0 / 256, ShapeNoise((SIGMA,) * n_sources))


def test_statistics_of_a_config_share_the_region_that_the_peaks_leave():
    made = statistics(SECTIONS)
    assert [each.name for each in made] == list(SECTIONS)
    # level 3 reaches 14 pixels, and its neighbours are 4 pixels away
    assert {each.region.border for each in made} == {18}
    assert made[0].region.area_deg2 == pytest.approx((60 * 5 / 256) ** 2)
    assert analysis_region(SECTIONS, 96, 1.875) == made[0].region


def test_statistics_without_filtered_maps_use_all_of_the_map():
    spectra = {name: SECTIONS[name] for name in ("power_spectrum", "starlet_power_spectrum")}
    assert analysis_region(spectra, 96, 1.875).border == 0


def test_spectra_depend_on_the_region_alone_and_peaks_on_its_border_too():
    kappa, noise = SIGMA * jax.random.normal(jax.random.key(0), (2, 1, 96, 96), jnp.float32)
    made = statistics(SECTIONS)
    measured = jax.jit(lambda maps: [each.measured(maps, noise) for each in made])
    inside, changed = measured(kappa), measured(kappa.at[:, :18].add(1.0))
    assert [bool(np.array_equal(*pair)) for pair in zip(inside, changed, strict=True)] == [True, True, False]


def test_statistics_of_the_default_config_make_its_data_vectors():
    config = read_config(Path(__file__).parents[2] / "config.yaml")
    lightcone = config.lightcone
    made = statistics_from_config(config.statistics, lightcone.pixels, lightcone.field_deg, ShapeNoise((SIGMA, SIGMA)))
    assert {each.region.border for each in made} == {config.border_pixels}
    for each in made:
        assert len(each.bins()) == config.statistics.length([each.name], 2)


def test_statistics_together_have_a_finite_jacobian():
    kappa, noise, *tangents = SIGMA * jax.random.normal(jax.random.key(1), (5, 2, 96, 96), jnp.float32)
    made = statistics(SECTIONS, n_sources=2)

    @jax.jit
    def jacobian(tangent):
        summary = lambda maps: jnp.concatenate([each.expected(maps, noise) for each in made])  # noqa: E731
        return jax.jvp(summary, (kappa,), (tangent,))

    values, rows = jax.vmap(jacobian, out_axes=(None, 0))(jnp.stack(tangents))
    bins = [each for one in made for each in one.bins()]
    assert rows.shape == (3, len(bins))
    assert values.dtype == rows.dtype == jnp.float64
    assert np.isfinite(values).all()
    assert np.isfinite(rows).all()
    assert (np.abs(rows).max(axis=0) > 0).all()


@pytest.mark.parametrize(
    ("sections", "match"),
    [
        ({"minima": {}}, "statistics.minima: there is no such statistic; choose among power_spectrum, starlet_power"),
        (
            {"power_spectrum": {"edges": ELL_EDGES}},
            "statistics.power_spectrum: keys missing: ell_edges; unknown: edges",
        ),
        ({"peaks": SECTIONS["peaks"] | {"scales_arcmin": [7.0]}}, "no starlet scale of 7 arcmin on pixels of 1.172"),
        (
            {"peaks": SECTIONS["peaks"] | {"scales_arcmin": [37.5]}},
            "a border of 78 pixels leaves 0 of 96 pixels per side, less than a quarter; leave out the largest starlet",
        ),
        (
            {"power_spectrum": {"ell_edges": [20.0, 50.0, 900.0]}},
            "no Fourier mode has 20 <= ell < 50, they are 192 apart",
        ),
    ],
)
def test_statistics_refuse_a_config_that_the_maps_do_not_allow(sections, match):
    with pytest.raises(ValueError, match=match):
        statistics(sections)
