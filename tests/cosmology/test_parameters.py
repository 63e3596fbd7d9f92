import dataclasses
import importlib.util
from importlib.util import module_from_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import parameters as table
from lenscast.cosmology import Parameters, basis
from lenscast.parameters import COSMOLOGICAL

SECTION = {"Omega_c": 0.26, "Omega_b": 0.05, "h": 0.7, "n_s": 0.96, "sigma8": 0.8, "w0": -1, "wa": 0}


def test_parameters_of_a_mapping_are_float64_scalars():
    parameters = Parameters.of(SECTION)
    for name in COSMOLOGICAL:
        value = getattr(parameters, name)
        assert (value.shape, value.dtype, float(value)) == ((), jnp.float64, SECTION[name])
    assert parameters.Omega_m == 0.26 + 0.05


def test_fields_are_the_cosmological_rows_of_the_table_in_their_order():
    assert tuple(field.name for field in dataclasses.fields(Parameters)) == COSMOLOGICAL
    assert jax.tree.leaves(Parameters.of(SECTION)) == list(SECTION.values())


def test_a_new_row_of_the_table_is_a_field_and_a_basis_vector(monkeypatch):
    names = (*COSMOLOGICAL, "m_nu")
    monkeypatch.setattr(table, "COSMOLOGICAL", names)
    # a module of its own, so that the classes of this session stay as they are
    fresh = module_from_spec(importlib.util.find_spec("lenscast.cosmology.parameters"))
    fresh.__spec__.loader.exec_module(fresh)
    extended = fresh.Parameters.of(SECTION | {"m_nu": 0.06})
    assert (extended.m_nu.dtype, float(extended.m_nu)) == (jnp.float64, 0.06)
    np.testing.assert_array_equal(fresh.basis(extended, ["h", "m_nu"]).m_nu, [0.0, 1.0])
    np.testing.assert_array_equal(np.stack(jax.tree.leaves(fresh.basis(extended, names))), np.eye(len(names)))
    assert not hasattr(Parameters.of(SECTION), "m_nu")


def test_basis_gives_the_derivative_with_respect_to_the_named_parameters():
    parameters = Parameters.of(SECTION)

    def derivative(tangent):
        return jax.jvp(lambda p: p.sigma8**2 * p.h + 3 * p.wa, (parameters,), (tangent,))[1]

    columns = jax.vmap(derivative)(basis(parameters, ["wa", "sigma8", "n_s", "h"]))
    np.testing.assert_allclose(columns, [3.0, 2 * 0.8 * 0.7, 0.0, 0.64], rtol=1e-14)


def test_basis_refuses_unknown_name():
    with pytest.raises(ValueError, match=r"unknown cosmological parameters \['sigma_8'\]: choose from \('Omega_c'"):
        basis(Parameters.of(SECTION), ["Omega_c", "sigma_8"])


def test_parameters_refuse_unknown_name():
    with pytest.raises(ValueError, match=r"unknown cosmological parameters \['Omega_m'\]"):
        Parameters.of(SECTION | {"Omega_m": 0.3})


def test_parameters_refuse_missing_name():
    section = {name: value for name, value in SECTION.items() if name != "wa"}
    with pytest.raises(ValueError, match=r"no value for cosmological parameters \['wa'\]: give all of"):
        Parameters.of(section)


def test_parameters_refuse_vectors():
    with pytest.raises(ValueError, match=r"has shape \(2,\): give scalars, and vmap over them"):
        Parameters.of(SECTION | {"h": np.array([0.6, 0.7])})


def test_parameters_refuse_single_precision():
    with jax.enable_x64(False), pytest.raises(ValueError, match="float64 but JAX is in 32-bit mode"):
        Parameters.of(SECTION)
