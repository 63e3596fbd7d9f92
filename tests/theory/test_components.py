"""Tomographic spectra of lensing and alignments apart, with Limber's integral of this package in place of CCL's."""

import jax
import numpy as np
import pytest

from lenscast.cosmology import Parameters, cosmology
from lenscast.lensing import Systematics, tabulated
from lenscast.sections.lightcone import Lightcone
from lenscast.sections.survey import NoBaryons, SystematicsSection
from lenscast.statistics import Observation, PowerSpectrum, Region, ShapeNoise
from lenscast.theory import Components, Galaxies, MeasuredSpectrum, components, limber

PARAMETERS = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
EDGES = (150.0, 400.0, 900.0)
SOURCES = tabulated(np.array([[0.1, 0.3, 0.5, 0.8]]), np.array([[0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 0.0]]))
ALIGNMENT = SystematicsSection(A_IA=1.0, eta=0.0, C1_rho_crit=0.01388, z_pivot=0.62, baryons=NoBaryons(kind="none"))
GALAXIES = Galaxies(SOURCES, Systematics.from_values({"A_IA": 1.0}, 2), ALIGNMENT)
FINE = Lightcone(box_size=400.0, slabs_per_box=4, planes=20, plane_mesh=4096, field_deg=5.0, pixels=48)


@pytest.fixture(scope="module")
def spectrum():
    observation = Observation(Region(48, 5.0, 0), ShapeNoise((0.02, 0.02)))
    return MeasuredSpectrum(PowerSpectrum(name="power_spectrum", ell_edges=EDGES), observation)


@pytest.fixture
def without_ccl(monkeypatch, power_law):
    """Theory without CAMB and CCL: Limber's integral of this package stands for that of CCL."""

    def exact(ell, parameters, galaxies, power):
        cosmos = jax.jit(cosmology)(parameters)

        def part(*names):
            def kernel(planes):
                kernels = galaxies.kernels(cosmos, planes)
                return sum(np.asarray(getattr(kernels, name)) for name in names)

            return limber(ell, kernel, cosmos, power, galaxies.z_max)

        GG, II = part("lensing"), part("alignment")
        return Components(GG, part("lensing", "alignment") - GG - II, II)

    monkeypatch.setattr(components, "camb_power", lambda *_: power_law)
    monkeypatch.setattr(components, "ccl_components", exact)


@pytest.mark.slow
def test_theory_is_what_fine_planes_leave_of_the_integral(spectrum, without_ccl):
    table = components.theory_components(Parameters.of(PARAMETERS), GALAXIES, spectrum, FINE, 2.0)
    assert list(table["component"].unique()) == ["GG", "GI", "II"]
    assert len(table) == 3 * 3 * 2
    # cells of 0.1 Mpc/h; the box cuts what is wider than 400 Mpc/h, and planes of 100 Mpc/h are midpoints
    gg = table[table["component"] == "GG"]
    np.testing.assert_allclose(gg["theory"], gg["ccl"], rtol=0.02)
    assert np.all(table[table["component"] == "GI"]["theory"] < 0)
    # a constant power of 8 (Mpc/h)^3 against 1e4 (k / 0.1)^-1.5 at ell / chi ~ 1 / (Mpc/h)
    assert np.all((gg["shot"] / gg["theory"] > 1e-3) & (gg["shot"] / gg["theory"] < 0.1))
    coarse = FINE.model_copy(update={"plane_mesh": 128})
    suppressed = components.theory_components(Parameters.of(PARAMETERS), GALAXIES, spectrum, coarse, 2.0)
    assert np.all(suppressed["theory"].abs() < table["theory"].abs())


@pytest.mark.slow
def test_theory_derivatives_with_respect_to_shifts_and_amplitude_are_exact(spectrum, without_ccl):
    planes, parameters = FINE.model_copy(update={"plane_mesh": 512}), Parameters.of(PARAMETERS)
    steps = {"A_IA": 0.1, "delta_z_1": 0.01}
    table = components.theory_derivatives(parameters, GALAXIES, spectrum, planes, steps)
    parts = components.theory_components(parameters, GALAXIES, spectrum, planes, 2.0)
    GI, II = (parts[parts["component"] == name]["theory"].to_numpy() for name in ("GI", "II"))
    total = parts.groupby(["source_1", "source_2", "low"])["theory"].sum().to_numpy()
    by_amplitude = table[table["parameter"] == "A_IA"]["theory"].to_numpy()
    # quadratic in A_IA, here 1
    np.testing.assert_allclose(by_amplitude, (GI + 2 * II) / total, rtol=1e-6)
    by_shift = table[table["parameter"] == "delta_z_1"]
    own, other = (by_shift[by_shift["source_1"] == source]["theory"].abs() for source in (0, 1))
    # the other source stays, but for rounding over the step
    assert other.max() < 1e-6 * own.min()
