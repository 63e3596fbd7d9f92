from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicSpline

from lenscast import theory
from lenscast.cosmology.power import linear_power
from lenscast.geometry import SPEED_OF_LIGHT_OVER_H0
from lenscast.lensing import Systematics, limber_sum, plane_window, source_planes, tomographic
from lenscast.numerics.quadrature import gauss_legendre
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.survey import NoBaryons, SystematicsSection
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise

Z_SOURCE = 0.914
ORACLE = Path(__file__).parents[1] / "oracles" / "ccl"
ALIGNMENT = SystematicsSection(A_IA=0.0, eta=0.0, C1_rho_crit=0.01388, z_pivot=0.62, baryons=NoBaryons(kind="none"))
ELL = np.array([277.0, 565.0, 1141.0])
WITHOUT_WINDOWS = Lightcone(box_size=205.0, slabs_per_box=1, planes=11, plane_mesh=256, field_deg=5.0, pixels=256)
ONE_PLANE = WITHOUT_WINDOWS.model_copy(update={"planes": 1, "plane_mesh": 64, "pixels": 64})


def galaxies(*z):
    """Sources at these redshifts, without systematics."""
    return theory.Galaxies(source_planes(z), Systematics.from_values({}, len(z)), ALIGNMENT)


def lensing(observed, cosmos):
    """Lensing kernel of any planes."""
    return lambda lightcone: observed.kernels(cosmos, lightcone).lensing


@pytest.mark.slow
def test_limber_agrees_with_adaptive_quadrature(cosmos, power_law):
    chi_source = float(cosmos.distances.comoving_distance(jnp.array(1 / 1.914)))
    strength = float(1.5 * cosmos.parameters.Omega_m) / SPEED_OF_LIGHT_OVER_H0**2

    def integrand(chi, ell):
        a = float(cosmos.distances.scale_factor(jnp.array(chi)))
        return (strength / a * (1 - chi / chi_source)) ** 2 * power_law.nonlinear(np.array([ell / chi]), 1 / a - 1)[0]

    expected = [quad(integrand, 0, chi_source, args=(ell,), epsrel=1e-8)[0] for ell in ELL]
    spectra = theory.limber(ELL, lensing(galaxies(Z_SOURCE), cosmos), cosmos, power_law, Z_SOURCE)
    # midpoints of planes that are 1 / 540 of the way: the square of it
    np.testing.assert_allclose(spectra[0], expected, rtol=2e-5)


def test_sum_over_thick_planes_is_limber_within_two_per_mille(cosmos, halofit):
    kernel = lensing(galaxies(Z_SOURCE), cosmos)
    exact = theory.limber(ELL, kernel, cosmos, halofit, Z_SOURCE)
    planes = limber_sum(theory.plane_power(ELL, cosmos, halofit, WITHOUT_WINDOWS, False), kernel(WITHOUT_WINDOWS))
    np.testing.assert_allclose(planes, exact, rtol=2e-3)


def test_power_of_a_plane_is_suppressed_by_its_window(cosmos, power_law):
    lightcone = ONE_PLANE
    plain, seen = (theory.plane_power(ELL, cosmos, power_law, lightcone, each) for each in (False, True))
    np.testing.assert_allclose(seen[0], plain[0] * plane_window(ELL, lightcone.chi[0], lightcone))


def test_power_with_windows_leaves_out_modes_longer_than_the_box(cosmos, power_law):
    lightcone = ONE_PLANE
    fundamental = 2 * np.pi * lightcone.chi[0] / 205.0
    ell = fundamental * np.array([0.99, 1.01])
    outside, inside = theory.plane_power(ell, cosmos, power_law, lightcone)[0]
    assert outside == 0
    assert inside > 0


@pytest.mark.slow
def test_spectra_run_over_pairs_of_sources(cosmos, power_law):
    def spectra(*z):
        return theory.limber(ELL, lensing(galaxies(*z), cosmos), cosmos, power_law, 0.9)

    auto = [spectra(z)[0] for z in (0.5, 0.9)]
    pairs = spectra(0.5, 0.9)
    np.testing.assert_allclose(pairs[[0, 2]], auto)
    assert np.all((pairs[1] > pairs[0]) & (pairs[1] < pairs[2]))


def test_bin_averages_weigh_by_the_number_of_modes():
    edges = (100.0, 300.0, 500.0)
    nodes = gauss_legendre(np.array(edges), 4).nodes.ravel()
    # int ell^3 dell / int ell dell for C = ell^2
    expected = [(high**2 + low**2) / 2 for low, high in ((100.0, 300.0), (300.0, 500.0))]
    np.testing.assert_allclose(theory.bin_averages(nodes[None] ** 2, edges)[0], expected)


@pytest.mark.slow
def test_spectra_table_has_the_derivatives_of_halofit(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    fine = WITHOUT_WINDOWS.model_copy(update={"plane_mesh": 8192})
    spectrum = PowerSpectrum(name="power_spectrum", ell_edges=(266.0, 288.0, 554.0, 576.0))
    wide = theory.MeasuredSpectrum(spectrum, Observation(Region(256, 40.0, 0), ShapeNoise((1.0,))))
    table = theory.spectra_table(parameters, galaxies(Z_SOURCE), wide, fine, {"sigma8": 0.01}).iloc[[0, 2]]
    # from an independent code at z_s = 0.91 and ell = 277, 565, quoted to two decimals
    np.testing.assert_allclose(table["dln_sigma8"], [3.10, 3.47], rtol=0.01)
    # cells of 0.025 Mpc/h and thick planes: what is left are the windows of the nearest planes
    np.testing.assert_allclose(table["limber_windows"], table["limber"], rtol=5e-3)
    assert list(table["ell"]) == pytest.approx([277.0, 565.0], rel=1e-3)


class LinearPower:
    """Linear power of Eisenstein & Hu at any redshift, which CCL's tables have."""

    def __init__(self, cosmos):
        k = np.geomspace(1e-5, 1e3, 4000)
        self.spline = CubicSpline(np.log(k), np.log(linear_power(jnp.asarray(k), cosmos.parameters)))
        self.a = np.linspace(0.2, 1, 4000)
        self.growth = np.asarray(cosmos.growth.D1(jnp.asarray(self.a)))

    def P(self, z, k):
        return np.exp(self.spline(np.log(k))) * np.interp(1 / (1 + z), self.a, self.growth) ** 2


@pytest.fixture(scope="module")
def year_1(parameters, tables):
    """What `tests/oracles/ccl` was made for: spectra of lensing, of alignments, and of both, and its derivatives."""
    p = replace(parameters, w0=-0.9, wa=0.2)
    cosmos = tables(p)
    linear = theory.MatterPower({"nonlinear": LinearPower(cosmos)})
    ell = np.loadtxt(ORACLE / "gg.txt")[:, 0] + 0.5  # CCL's k of Limber
    values = Systematics.from_values({"A_IA": 0.8, "eta": 1.5}, 5)
    survey = theory.Galaxies(tomographic(0.13, 0.78, 5, 0.05, 3.5), values, ALIGNMENT)

    def spectra(observed, *parts):
        def kernel(lightcone):
            kernels = observed.kernels(cosmos, lightcone)
            return sum(getattr(kernels, part) for part in parts) * (1 + np.asarray(observed.systematics.m))

        return theory.limber(ell, kernel, cosmos, linear, 3.5).T

    return survey, spectra


def oracle(name):
    return np.loadtxt(ORACLE / f"{name}.txt")[:, 1:]


@pytest.mark.slow
def test_tomographic_spectra_of_lensing_and_alignments_are_those_of_ccl(year_1):
    survey, spectra = year_1
    gg, ii = spectra(survey, "lensing"), spectra(survey, "alignment")
    gi = spectra(survey, "lensing", "alignment") - gg - ii
    # CCL's shear is that of the full sky, 2.5 / ell^2, and its splines of the kernels are good to 1e-3
    np.testing.assert_allclose(gg, oracle("gg"), rtol=3e-3)
    np.testing.assert_allclose(gi, oracle("gi"), rtol=5e-3)
    np.testing.assert_allclose(ii, oracle("ii"), rtol=5e-3, atol=1e-4 * ii.max())


@pytest.mark.parametrize(
    ("name", "step"), [("A_IA", 0.1), ("eta", 0.05), ("delta_z_2", 5e-3), ("delta_z_4", 5e-3), ("m_3", 0.01)]
)
def test_derivatives_by_systematics_are_those_of_ccl(year_1, name, step):
    survey, spectra = year_1
    plus, minus = (spectra(survey.with_step(name, sign * step), "lensing", "alignment") for sign in (1, -1))
    expected = oracle(f"d_{name}")
    largest = np.abs(expected).max(axis=1, keepdims=True)
    # as above; derivatives change sign from pair to pair
    np.testing.assert_allclose((plus - minus) / (2 * step) / largest, expected / largest, rtol=1e-2, atol=2e-3)


def test_ccl_is_what_the_oracle_was_made_with(year_1, parameters, tables):
    pytest.importorskip("pyccl", reason="the extra `theory` is not installed")
    survey, _ = year_1
    parameters = replace(parameters, w0=-0.9, wa=0.2)
    linear = theory.MatterPower({"nonlinear": LinearPower(tables(parameters))})
    ell = np.loadtxt(ORACLE / "gg.txt")[:, 0] + 0.5
    found = theory.ccl_components(ell, parameters, survey, linear)
    for name, each in found._asdict().items():
        expected = oracle(name.lower())
        # tables of the power, and of n(z) in cells of 1/256
        np.testing.assert_allclose(each.T, expected, rtol=2e-3, atol=2e-4 * np.abs(expected).max())
    biased = theory.ccl_components(ell, parameters, survey.with_step("m_2", 0.1), linear)
    np.testing.assert_allclose(biased.GG[5], 1.1**2 * found.GG[5])
    with pytest.raises(ValueError, match=r"give survey\.sources of kind smail or table"):
        theory.ccl_components(ell, parameters, galaxies(0.5, 0.9), linear)
