"""A lightcone, with references in plain numpy and scipy."""

import numpy as np
import pytest
from scipy.integrate import quad

from lenscast.lensing import Lightcone


@pytest.fixture(scope="session")
def lightcone():
    """Planes to z = 0.9, two to a box."""
    return Lightcone(box_size=400.0, slabs_per_box=2, planes=11, plane_mesh=32, field_deg=5.0, pixels=24)


@pytest.fixture(scope="session")
def distance():
    """Comoving distance [Mpc/h] to a redshift, by adaptive quadrature."""

    def integrate(z, p):
        def slowness(z):
            w = (1 + z) ** (3 * (1 + p.w0 + p.wa)) * np.exp(-3 * p.wa * z / (1 + z))
            return 1 / np.sqrt(p.Omega_m * (1 + z) ** 3 + (1 - p.Omega_m) * w)

        return 2997.92458 * quad(slowness, 0, z, epsabs=0, epsrel=1e-10)[0]

    return integrate
