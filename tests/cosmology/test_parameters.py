import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.cosmology import LABELS, PARAMETER_NAMES, Parameters, basis

SECTION = {"Omega_c": 0.26, "Omega_b": 0.05, "h": 0.7, "n_s": 0.96, "sigma8": 0.8, "w0": -1, "wa": 0}


def test_parameters_from_config_are_float64_scalars():
    parameters = Parameters.from_config(SECTION)
    for name in PARAMETER_NAMES:
        value = getattr(parameters, name)
        assert (value.shape, value.dtype, float(value)) == ((), jnp.float64, SECTION[name])
    assert parameters.Omega_m == 0.26 + 0.05


def test_labels_name_every_parameter_once():
    assert tuple(LABELS) == PARAMETER_NAMES
    assert len(set(LABELS.values())) == len(PARAMETER_NAMES)


def test_basis_gives_the_derivative_by_the_named_parameters():
    parameters = Parameters.from_config(SECTION)

    def derivative(tangent):
        return jax.jvp(lambda p: p.sigma8**2 * p.h + 3 * p.wa, (parameters,), (tangent,))[1]

    columns = jax.vmap(derivative)(basis(parameters, ["wa", "sigma8", "n_s", "h"]))
    np.testing.assert_allclose(columns, [3.0, 2 * 0.8 * 0.7, 0.0, 0.64], rtol=1e-14)


def test_basis_refuses_unknown_name():
    with pytest.raises(ValueError, match=r"unknown cosmological parameters \['sigma_8'\]: choose from \('Omega_c'"):
        basis(Parameters.from_config(SECTION), ["Omega_c", "sigma_8"])


def test_from_config_refuses_unknown_name():
    with pytest.raises(ValueError, match=r"unknown cosmological parameters \['Omega_m'\]"):
        Parameters.from_config(SECTION | {"Omega_m": 0.3})


def test_from_config_refuses_missing_name():
    section = {name: value for name, value in SECTION.items() if name != "wa"}
    with pytest.raises(ValueError, match=r"no value for cosmological parameters \['wa'\]: give all of"):
        Parameters.from_config(section)


def test_parameters_refuse_vectors():
    with pytest.raises(ValueError, match=r"has shape \(2,\): give scalars, and vmap over them"):
        Parameters.from_config(SECTION | {"h": np.array([0.6, 0.7])})


def test_parameters_refuse_single_precision():
    with jax.enable_x64(False), pytest.raises(ValueError, match="float64 but JAX is in 32-bit mode"):
        Parameters.from_config(SECTION)
