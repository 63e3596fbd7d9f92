"""Write the cosmology tables that the tests compare against, with CAMB and pyccl.

Run ``python make_tables.py`` in an environment of its own, ``pip install camb==2.0.5 pyccl==3.3.6``.

lenscast has no radiation, so that chi, D1 and f1 are tabulated without: CCL with Omega_g = 0 and no neutrinos;
CAMB, which needs photons to recombine with, at a CMB of 0.5 K and no neutrinos, where radiation moves D1 by
(2/3) Omega_gamma / (Omega_m a) = 1.3e-7 / a. The power spectra are at 2.7255 K: CCL's Eisenstein-Hu fit, and
CAMB's Boltzmann solution with massless neutrinos, rescaled to sigma8.
"""

from pathlib import Path

import camb
import numpy as np
import pyccl

PLANCK15 = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159}
COSMOLOGIES = {"planck15": PLANCK15 | {"w0": -1.0, "wa": 0.0}, "w0wa": PLANCK15 | {"w0": -0.9, "wa": 0.2}}
A = np.array([0.02, 0.05, 0.1, 1 / 7, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
K = np.geomspace(1e-3, 10.0, 81)


def ccl_cosmology(parameters: dict[str, float]) -> pyccl.Cosmology:
    """CCL without radiation in the background, with the CMB temperature in the transfer function."""
    return pyccl.Cosmology(
        **parameters, Omega_g=0.0, Neff=0.0, m_nu=0.0, T_CMB=2.7255, transfer_function="eisenstein_hu"
    )


def ccl_background(parameters: dict[str, float]) -> dict[str, np.ndarray]:
    """Distance and growth of CCL."""
    cosmo = ccl_cosmology(parameters)
    return {
        "chi_ccl": pyccl.comoving_radial_distance(cosmo, A) * parameters["h"],
        "D1_ccl": pyccl.growth_factor(cosmo, A),
        "f1_ccl": pyccl.growth_rate(cosmo, A),
    }


def camb_parameters(parameters: dict[str, float], **radiation: float) -> camb.CAMBparams:
    """CAMB in the same flat cosmology; the amplitude is arbitrary."""
    h = parameters["h"]
    pars = camb.CAMBparams(WantCls=False)
    pars.set_dark_energy(w=parameters["w0"], wa=parameters["wa"], dark_energy_model="ppf")
    ombh2, omch2 = parameters["Omega_b"] * h**2, parameters["Omega_c"] * h**2
    pars.set_cosmology(H0=100 * h, ombh2=ombh2, omch2=omch2, mnu=0.0, omk=0.0, **radiation)
    pars.InitPower.set_params(As=2e-9, ns=parameters["n_s"])
    return pars


def camb_background(parameters: dict[str, float]) -> dict[str, np.ndarray]:
    """Distance and growth of CAMB: growth is that of sigma8, its rate is from velocities."""
    pars = camb_parameters(parameters, TCMB=0.5, nnu=0.0, YHe=0.24)
    pars.set_accuracy(AccuracyBoost=2.0)
    pars.set_matter_power(redshifts=list(1 / A - 1), kmax=20.0, k_per_logint=50)
    results = camb.get_results(pars)
    sigma8, f_sigma8 = results.get_sigma8(), results.get_fsigma8()
    return {
        "chi_camb": results.comoving_radial_distance(1 / A - 1) * parameters["h"],
        "D1_camb": sigma8 / sigma8[-1],
        "f1_camb": f_sigma8 / sigma8,
    }


def power(parameters: dict[str, float]) -> dict[str, np.ndarray]:
    """Linear power spectra today [(Mpc/h)^3]."""
    h = parameters["h"]
    pars = camb_parameters(parameters, TCMB=2.7255, nnu=3.046)
    pars.set_matter_power(redshifts=[0.0], kmax=50.0)
    results = camb.get_results(pars)
    interpolator = results.get_matter_power_interpolator(nonlinear=False)
    return {
        "ccl_eisenstein_hu": pyccl.linear_matter_power(ccl_cosmology(parameters), K * h, 1.0) * h**3,
        "camb": interpolator.P(0.0, K) * (parameters["sigma8"] / results.get_sigma8_0()) ** 2,
    }


def write(name: str, parameters: dict[str, float], units: str, columns: dict[str, np.ndarray]) -> None:
    """Write named columns under a header that says what they are."""
    values = " ".join(f"{key}={value}" for key, value in parameters.items())
    header = f"camb {camb.__version__}, pyccl {pyccl.__version__}\n{values}\n{units}\n{' '.join(columns)}"
    path = Path(__file__).parent / f"{name}.txt"
    np.savetxt(path, np.column_stack(list(columns.values())), fmt="%.9e", header=header)


if __name__ == "__main__":
    for name, parameters in COSMOLOGIES.items():
        background = ccl_background(parameters) | camb_background(parameters)
        write(f"{name}_background", parameters, "chi in Mpc/h, no radiation", {"a": A} | background)
        write(f"{name}_power", parameters, "k in h/Mpc, P(a = 1) in (Mpc/h)^3", {"k": K} | power(parameters))
