"""Tables of tomographic shear spectra by CCL 3.3.6 (Chisari et al. 2019, arXiv:1812.05995): pip install pyccl==3.3.6.

Linear matter power of Eisenstein & Hu (1998), Limber; sources of LSST Year 1 as of the DESC SRD (arXiv:1809.01669) made
here from their formulas; NLA alignments. Rows: ell, then all pairs of sources, 1-1, 1-2, ..., 5-5 [sr].

`power_without_wiggles`: k [h/Mpc], then linear power today, and halofit (Takahashi et al. 2012) on it at a = 1 and 0.5
[(Mpc/h)^3], of the fit without wiggles of Eisenstein & Hu (1998).
"""

from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
import pyccl
from scipy.special import erf

FOLDER = Path(__file__).parent
PARAMETERS = {"Omega_c": 0.2589, "Omega_b": 0.0486, "h": 0.6774, "n_s": 0.9667, "sigma8": 0.8159, "w0": -0.9, "wa": 0.2}
A_IA, ETA, Z_PIVOT = 0.8, 1.5, 0.62
ELL = np.array([60.0, 150.0, 400.0, 1000.0, 2500.0])
Z = np.linspace(0.0, 3.5, 7001)
BINS = 5


def distributions():
    """SRD Year 1: equal numbers in true redshift, cut in photometric redshift."""
    number = Z**2 * np.exp(-((Z / 0.13) ** 0.78))
    total = np.concatenate([[0.0], np.cumsum((number[1:] + number[:-1]) / 2)])
    edges = np.interp(np.arange(BINS + 1) / BINS, total / total[-1], Z)
    scatter = np.sqrt(2) * 0.05 * (1 + Z)
    seen = [number * (erf((high - Z) / scatter) - erf((low - Z) / scatter)) / 2 for low, high in pairwise(edges)]
    return [each / np.trapezoid(each, Z) for each in seen]


def cosmology():
    names = {"transfer_function": "eisenstein_hu", "matter_power_spectrum": "linear"}
    return pyccl.Cosmology(**PARAMETERS, **names, Omega_g=0.0, T_CMB=2.7255, Neff=0.0, m_nu=0.0)


def spectra(cosmo, lensing=True, amplitude=A_IA, eta=ETA, shift=None, bias=None):
    """All pairs, with n(z - shift_b) and (1 + bias_b)."""
    shift, bias = (np.zeros(BINS) if each is None else each for each in (shift, bias))
    alignment = (Z, amplitude * ((1 + Z) / (1 + Z_PIVOT)) ** eta)
    tracers = [
        pyccl.WeakLensingTracer(
            cosmo,
            dndz=(Z, np.interp(Z - each, Z, n, left=0.0, right=0.0)),
            has_shear=lensing,
            ia_bias=alignment if amplitude else None,
        )
        for n, each in zip(distributions(), shift, strict=True)
    ]
    pairs = combinations_with_replacement(range(BINS), 2)
    return np.stack(
        [(1 + bias[i]) * (1 + bias[j]) * pyccl.angular_cl(cosmo, tracers[i], tracers[j], ELL) for i, j in pairs], axis=1
    )


def write(name, values):
    np.savetxt(FOLDER / f"{name}.txt", np.column_stack([ELL, values]), fmt="%.8e")


def power_without_wiggles():
    """Columns of the table of that name."""
    k, h = np.geomspace(1e-3, 20.0, 14), PARAMETERS["h"]
    names = {"transfer_function": "eisenstein_hu_nowiggles", "matter_power_spectrum": "halofit"}
    cosmo = pyccl.Cosmology(**PARAMETERS, **names, Omega_g=0.0, T_CMB=2.7255, Neff=0.0, m_nu=0.0)
    linear = pyccl.linear_matter_power(cosmo, k * h, 1.0)
    return np.column_stack(
        [k, *(each * h**3 for each in (linear, *(cosmo.nonlin_matter_power(k * h, a) for a in (1.0, 0.5))))]
    )


def main():
    pyccl.gsl_params.INTEGRATION_LIMBER_EPSREL = 1e-6
    cosmo, step = cosmology(), np.eye(BINS)
    gg, ii = spectra(cosmo, amplitude=0.0), spectra(cosmo, lensing=False)
    write("gg", gg)
    write("ii", ii)
    write("gi", spectra(cosmo) - gg - ii)
    derivatives = {
        "A_IA": [spectra(cosmo, amplitude=A_IA + sign * 0.1) for sign in (1, -1)] + [0.2],
        "eta": [spectra(cosmo, eta=ETA + sign * 0.05) for sign in (1, -1)] + [0.1],
        "delta_z_2": [spectra(cosmo, shift=sign * 0.005 * step[1]) for sign in (1, -1)] + [0.01],
        "delta_z_4": [spectra(cosmo, shift=sign * 0.005 * step[3]) for sign in (1, -1)] + [0.01],
        "m_3": [spectra(cosmo, bias=sign * 0.01 * step[2]) for sign in (1, -1)] + [0.02],
    }
    for name, (plus, minus, width) in derivatives.items():
        write(f"d_{name}", (plus - minus) / width)
    np.savetxt(FOLDER / "power_without_wiggles.txt", power_without_wiggles(), fmt="%.8e")


if __name__ == "__main__":
    main()
