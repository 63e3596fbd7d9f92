"""Sources that lens planes cannot carry: the sum over planes against the integral along the line of sight."""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import theory
from lenscast.corrections.network import nonlinearity
from lenscast.cosmology import Parameters, cosmology
from lenscast.experiment import load, remarks
from lenscast.experiment.matter import LN_K, growth, matter_power
from lenscast.experiment.plane_checks import LineOfSight
from lenscast.gravity import ParticleMesh
from lenscast.lensing import Systematics, limber_sum
from lenscast.sources import redshift_distributions

ORACLES = Path(__file__).parents[1] / "oracles"
ELL = np.array([288.0, 1000.0, 2000.0])


def near(*z: float, **keys: Any) -> dict[str, Any]:
    """Source planes at these redshifts behind planes of 205 Mpc/h."""
    sources = {"survey.sources": {"kind": "planes", "z": [*z]}, "survey.n_gal": [20.0 for _ in z]}
    return {**sources, "lightcone.slabs_per_box": 1, "lightcone.planes": 12, **keys}


@pytest.fixture(scope="module")
def halofit():
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    values = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
    parameters = Parameters.of(values)
    return jax.jit(cosmology)(parameters), theory.camb_power(parameters, z_max=1.6)


# 0 where no plane is in front of the sources, and as far as 1 % of C_ell
@pytest.mark.slow
@pytest.mark.parametrize("z", [0.03, 0.05, 0.08, 0.15, 0.3, 0.9])
@pytest.mark.parametrize("slabs", [1, 2])
def test_sum_over_planes_misses_the_integral_by_what_halofit_gives(z: float, slabs: int, changed, halofit) -> None:
    cosmos, power = halofit
    config = changed(near(0.5) | {"lightcone.slabs_per_box": slabs, "lightcone.planes": 24})
    experiment = load(config)
    sources = experiment.survey.sources.model_copy(update={"z": (z,)})
    survey = experiment.survey.model_copy(update={"sources": sources})
    galaxies = theory.Galaxies(redshift_distributions(sources), Systematics.from_values({}, 1), experiment.systematics)

    def kernel(lightcone):
        return galaxies.kernels(cosmos, lightcone).lensing

    # planes of the integral no thicker than a fiftieth of the way
    end = float(cosmos.distances.comoving_distance(jnp.asarray(1 / (1 + z))))
    thin = experiment.lightcone.model_copy(update={"box_size": end / 200, "slabs_per_box": 1, "planes": 200})
    exact = limber_sum(theory.plane_power(ELL, cosmos, power, thin, windows=False), kernel(thin))[0]
    planes = theory.plane_power(ELL, cosmos, power, experiment.lightcone, windows=False)
    expected = limber_sum(planes, kernel(experiment.lightcone))[0] / exact
    line = LineOfSight.of(experiment.cosmology, survey)
    thickness = experiment.lightcone.thickness
    centres, fine = (np.arange(24) + 0.5) * thickness, (np.arange(200) + 0.5) * end / 200
    found = line.spectra(centres, ELL)[0] / line.spectra(fine, ELL)[0]
    # a tenth of the error, since slopes of the power differ by as much
    np.testing.assert_allclose(found, expected, atol=0.003, rtol=0.1 * float(np.abs(expected - 1).max()) + 1e-3)
    assert abs(line.mismatch(thickness, ELL).error - np.abs(found - 1).max()) < 0.01


def test_power_of_the_check_is_that_of_ccl_without_wiggles(changed) -> None:
    k, linear, *nonlinear = np.loadtxt(ORACLES / "ccl" / "power_without_wiggles.txt").T
    values = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -0.9, "wa": 0.2}
    table = matter_power(load(changed({f"cosmology.{name}": value for name, value in values.items()})).cosmology)
    found = np.exp(np.interp(np.log(k), LN_K, np.log(table.linear))) * 2 * np.pi**2 / k**3
    np.testing.assert_allclose(found, linear, rtol=5e-4)
    # growth is that of a fit with an exponent of 0.55
    for a, expected, rtol in zip((1.0, 0.5), nonlinear, (1e-3, 0.015), strict=True):
        np.testing.assert_allclose(table(k[None], np.array([a]))[0], expected, rtol=rtol)


def test_spectra_of_the_check_are_those_of_theory(changed, halofit) -> None:
    cosmos, power = halofit
    experiment = load(changed(near(0.3, 0.9, **{"lightcone.slabs_per_box": 2, "lightcone.planes": 24})))
    sources = redshift_distributions(experiment.survey.sources)
    galaxies = theory.Galaxies(sources, Systematics.from_values({}, 2), experiment.systematics)
    planes = theory.plane_power(ELL, cosmos, power, experiment.lightcone, windows=False)
    expected = limber_sum(planes, galaxies.kernels(cosmos, experiment.lightcone).lensing)
    line = LineOfSight.of(experiment.cosmology, experiment.survey)
    found = line.spectra((np.arange(24) + 0.5) * experiment.lightcone.thickness, ELL)
    unit = (1.5 * experiment.cosmology.Omega_m / 2997.92458**2) ** 2  # of Poisson's equation, with c / H0 in Mpc/h
    np.testing.assert_allclose(unit * found, expected, rtol=0.05)


def test_power_of_the_check_is_that_of_camb_to_ten_percent(halofit, experiment) -> None:
    cosmos, power = halofit
    table = matter_power(load({"base": "default"}).cosmology)
    k = np.geomspace(0.02, 10.0, 50)
    for z in (0.0, 0.5, 1.5):
        a = np.array([1 / (1 + z)])
        np.testing.assert_allclose(table(k[None], a)[0], power.nonlinear(k, z), rtol=0.1)
        np.testing.assert_allclose(growth(a, table.cosmology), cosmos.growth.D1(jnp.asarray(a)), rtol=5e-3)


def test_sources_that_planes_do_not_carry_are_refused_with_the_number_of_slabs(changed, refusal) -> None:
    (line,) = refusal(near(0.05))
    assert line.startswith(
        "lightcone.slabs_per_box: planes of 205 Mpc/h make C_ell of source bin 1 at ell = 4608 2.07 times the integral "
        "along the line of sight; raise lightcone.slabs_per_box to 4 and lightcone.planes to 48"
    )
    (line,) = refusal(near(0.03, 1.0))
    assert "C_ell of source bin 1 at ell = 144 0 times the integral" in line
    followed = {"lightcone.slabs_per_box": 4, "lightcone.planes": 48}
    assert not [*remarks(load(changed(near(0.05, **followed))))]


def test_sources_that_planes_carry_to_some_percent_are_remarked_on(changed) -> None:
    (line,) = remarks(load(changed(near(0.15, 1.0))))
    assert "make C_ell of source bin 1 at ell = 144 1.1" in line
    assert "raise lightcone.slabs_per_box to 3" in line


def test_no_thickness_is_advised_where_sources_are_too_near(refusal) -> None:
    (line,) = refusal(near(0.001))
    assert line.endswith("no planes of 2 Mpc/h or more are thin enough; leave out these sources")


def test_configs_with_many_sources_are_checked_in_a_second(changed) -> None:
    smail = {"kind": "smail", "z0": 0.13, "alpha": 0.78, "bins": 10, "sigma_z": 0.05, "z_max": 3.5}
    sizes = {"survey.sources": smail, "survey.n_gal": 10 * [2.0], "lightcone.planes": 26}
    sizes |= {"lightcone.field_deg": 2.4, "lightcone.pixels": 128, "covariance.boxes": 256}
    config = changed(near(0.5) | sizes)
    begin = time.process_time()
    load(config)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("radius", [0.4, 1.6, 3.2])
def test_rms_of_a_cell_is_that_of_the_network(radius: float, changed) -> None:
    fiducial = load(changed({})).cosmology
    table = nonlinearity(
        jax.jit(cosmology)(Parameters.of(fiducial.model_dump())), ParticleMesh(box_size=radius * 8, particles=8)
    )
    # the transfer function without wiggles is a few per cent off that of the simulations
    assert matter_power(fiducial).rms(radius) == pytest.approx(float(jnp.exp(table(jnp.float32(0.0)))), rel=0.05)
