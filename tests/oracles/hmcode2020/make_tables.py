"""Write the tables of baryonic suppression that the tests compare against, with CAMB's HMCode2020.

Run ``python make_tables.py`` in an environment of its own, ``pip install camb==2.0.5``.

The suppression is CAMB's nonlinear power of ``mead2020_feedback`` over that of ``mead2020``, with massless neutrinos
and the primordial amplitude that gives sigma8. Derivatives are central differences of it, at 7.8; that by Omega_b
holds the other parameters fixed, sigma8 among them. The linear power today is tabulated beside it, so that the halo
model can be compared apart from the fit of Eisenstein & Hu.
"""

from pathlib import Path

import camb
import numpy as np

PLANCK15 = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -1.0, "wa": 0.0}
COSMOLOGIES = {
    "planck15": PLANCK15,
    "low_sigma8": PLANCK15 | {"Omega_c": 0.20, "Omega_b": 0.056, "h": 0.72, "sigma8": 0.70, "w0": -0.8},
    "high_sigma8": PLANCK15 | {"Omega_c": 0.31, "Omega_b": 0.040, "n_s": 0.94, "sigma8": 0.92, "w0": -1.1, "wa": 0.3},
}
LOG10_T_AGN = [7.6, 7.8, 8.0]
Z = [0.0, 0.5, 1.0, 2.0]
K = np.geomspace(0.01, 20.0, 34)
K_LINEAR = np.geomspace(1e-4, 100.0, 400)
K_MAX = 50.0  # 1/Mpc; the halo model continues the spectrum as a power law
STEP_T_AGN = 0.05
STEP_OMEGA_B = 0.002


def camb_parameters(parameters: dict[str, float], amplitude: float) -> camb.CAMBparams:
    """CAMB in the flat cosmology of these parameters, with the given primordial amplitude."""
    h = parameters["h"]
    pars = camb.CAMBparams(WantCls=False)
    pars.set_dark_energy(w=parameters["w0"], wa=parameters["wa"], dark_energy_model="ppf")
    ombh2, omch2 = parameters["Omega_b"] * h**2, parameters["Omega_c"] * h**2
    pars.set_cosmology(H0=100 * h, ombh2=ombh2, omch2=omch2, mnu=0.0, omk=0.0, TCMB=2.7255, nnu=3.046)
    pars.InitPower.set_params(As=amplitude, ns=parameters["n_s"])
    pars.set_matter_power(redshifts=Z, kmax=K_MAX)
    return pars


def linear_power(parameters: dict[str, float]) -> np.ndarray:
    """Linear power today at K_LINEAR [(Mpc/h)^3]."""
    results = camb.get_results(camb_parameters(parameters, 2e-9))
    interpolator = results.get_matter_power_interpolator(nonlinear=False, extrap_kmax=200.0)
    return interpolator.P(0.0, K_LINEAR) * (parameters["sigma8"] / results.get_sigma8_0()) ** 2


def amplitude(parameters: dict[str, float]) -> float:
    """Primordial amplitude that gives sigma8."""
    return 2e-9 * (parameters["sigma8"] / camb.get_results(camb_parameters(parameters, 2e-9)).get_sigma8_0()) ** 2


def power(pars: camb.CAMBparams, **model: str | float) -> np.ndarray:
    """Nonlinear power at (Z, K) in a version of HMCode2020."""
    pars.NonLinear = camb.model.NonLinear_pk
    pars.NonLinearModel.set_params(**model)
    return camb.get_matter_power_interpolator(pars, zs=Z, kmax=K_MAX).P(Z, K)


def suppression(parameters: dict[str, float], temperatures: list[float]) -> list[np.ndarray]:
    """Power with feedback over power without, for each temperature."""
    pars = camb_parameters(parameters, amplitude(parameters))
    gravity = power(pars, halofit_version="mead2020")
    return [
        power(pars, halofit_version="mead2020_feedback", HMCode_logT_AGN=temperature) / gravity
        for temperature in temperatures
    ]


def by_temperature(parameters: dict[str, float]) -> np.ndarray:
    """Derivative of the suppression by log10_T_AGN."""
    low, high = suppression(parameters, [7.8 - STEP_T_AGN, 7.8 + STEP_T_AGN])
    return (high - low) / (2 * STEP_T_AGN)


def by_Omega_b(parameters: dict[str, float]) -> np.ndarray:
    """Derivative of the suppression by Omega_b."""
    low, high = (
        suppression(parameters | {"Omega_b": parameters["Omega_b"] + step}, [7.8])[0]
        for step in (-STEP_OMEGA_B, STEP_OMEGA_B)
    )
    return (high - low) / (2 * STEP_OMEGA_B)


def write(name: str, parameters: dict[str, float]) -> None:
    """Write one row a redshift and wavenumber under a header that says what the columns are."""
    columns = {"z": np.repeat(Z, K.size), "k": np.tile(K, len(Z))}
    columns |= dict(zip((f"S_{T}" for T in LOG10_T_AGN), suppression(parameters, LOG10_T_AGN), strict=True))
    columns |= {"dS_dlog10_T_AGN": by_temperature(parameters), "dS_dOmega_b": by_Omega_b(parameters)}
    values = " ".join(f"{key}={value}" for key, value in parameters.items())
    header = f"camb {camb.__version__}\n{values}\nk in h/Mpc, derivatives at 7.8\n{' '.join(columns)}"
    table = np.column_stack([column.ravel() for column in columns.values()])
    np.savetxt(Path(__file__).parent / f"{name}.txt", table, fmt="%.6g", header=header)


def write_linear() -> None:
    """Write the linear spectra, one column a cosmology."""
    columns = {"k": K_LINEAR} | {name: linear_power(parameters) for name, parameters in COSMOLOGIES.items()}
    header = f"camb {camb.__version__}\nk in h/Mpc, P(a = 1) in (Mpc/h)^3\n{' '.join(columns)}"
    path = Path(__file__).parent / "linear_power.txt"
    np.savetxt(path, np.column_stack(list(columns.values())), fmt="%.9e", header=header)


if __name__ == "__main__":
    write_linear()
    for name, parameters in COSMOLOGIES.items():
        write(name, parameters)
