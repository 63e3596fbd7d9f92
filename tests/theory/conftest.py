import pytest

from lenscast import theory
from lenscast.cosmology import Parameters


@pytest.fixture(scope="session")
def parameters():
    """A cosmological constant, so that published numbers are at hand."""
    return Parameters(Omega_c=0.2589, Omega_b=0.0486, h=0.6774, n_s=0.9667, sigma8=0.8159, w0=-1.0, wa=0.0)


@pytest.fixture(scope="session")
def cosmos(parameters, tables):
    return tables(parameters)


@pytest.fixture(scope="session")
def halofit(parameters):
    pytest.importorskip("camb", reason="the extra `theory` is not installed")
    return theory.camb_power(parameters, z_max=1.0)
