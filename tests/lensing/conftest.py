"""A lightcone and views of it, with references in plain numpy and scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from lenscast.lensing import View, tabulated
from lenscast.sections.lightcone import Lightcone


@pytest.fixture(scope="session")
def lightcone():
    """Planes to z = 0.9, two to a box."""
    return Lightcone(box_size=400.0, slabs_per_box=2, planes=11, plane_mesh=32, field_deg=5.0, pixels=24)


@pytest.fixture(scope="session")
def broad():
    """Two source bins with distributions that overlap."""
    return tabulated(np.array([[0.1, 0.3, 0.5, 0.8]]), np.array([[0.0, 3.0, 1.0, 0.0], [0.0, 0.2, 1.0, 2.0]]))


@pytest.fixture(scope="session")
def view_of():
    """Views of slab 0 along axis 0 of the box, without reflections and shifts but for the given changes."""

    def view(lightcone, **changes):
        planes = lightcone.planes
        straight = {
            "axis": np.zeros(planes, np.int32),
            "slab": np.zeros(planes, np.int32),
            "transpose": np.zeros(planes, bool),
            "flip": np.zeros((planes, 2), bool),
            "shift": np.zeros((planes, 2), np.float32),
        }
        return View(**{name: jnp.asarray(value) for name, value in (straight | changes).items()})

    return view


@pytest.fixture(scope="session")
def distance():
    """Comoving distance [Mpc/h] to a redshift, by adaptive quadrature."""

    def integrate(z, p):
        def slowness(z):
            w = (1 + z) ** (3 * (1 + p.w0 + p.wa)) * np.exp(-3 * p.wa * z / (1 + z))
            return 1 / np.sqrt(p.Omega_m * (1 + z) ** 3 + (1 - p.Omega_m) * w)

        return 2997.92458 * quad(slowness, 0, z, epsabs=0, epsrel=1e-10)[0]

    return integrate
