"""Names and values of nuisance parameters."""

import numpy as np
import pytest

from lenscast.config.survey import SYSTEMATICS, of_sources
from lenscast.lensing.systematics import Systematics, systematics_label, systematics_names


def test_values_are_put_where_their_names_say():
    values = {"A_IA": 0.5, "eta": -1.0, "delta_z_2": 0.01, "m_1": 0.02, "log10_T_AGN": 7.8}
    made = Systematics.from_values(values, sources=2)
    assert (float(made.A_IA), float(made.eta), float(made.log10_T_AGN)) == (0.5, -1.0, 7.8)
    np.testing.assert_array_equal(made.delta_z, [0, 0.01])
    np.testing.assert_array_equal(made.m, [0.02, 0])


def test_values_that_are_not_given_are_nought_or_none():
    made = Systematics.from_values({}, sources=3)
    assert made.log10_T_AGN is None
    np.testing.assert_array_equal([made.A_IA, made.eta, *made.delta_z, *made.m], np.zeros(8))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"unknown parameters \['m_3'\]: choose from .*'m_2'"):
        Systematics.from_values({"m_3": 0.1}, sources=2)


def test_names_are_those_of_the_config_and_have_labels():
    names = systematics_names(2)
    assert names == tuple(each for name in SYSTEMATICS for each in of_sources(name, 2))
    assert all(map(systematics_label, names))
    assert systematics_label("delta_z_12") == r"\Delta z_{12}"
    assert systematics_label("Omega_c") is None
