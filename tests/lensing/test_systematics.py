"""Values of nuisance parameters by their names in the table of parameters."""

import numpy as np
import pytest

from lenscast.lensing import Systematics
from lenscast.parameters import NUISANCE, expanded, label


def test_values_are_put_where_their_names_say():
    values = {"A_IA": 0.5, "eta": -1.0, "delta_z_2": 0.01, "m_1": 0.02, "log10_T_AGN": 7.8}
    made = Systematics.from_values(values, sources=2)
    assert (float(made.A_IA), float(made.eta), float(made.log10_T_AGN)) == (0.5, -1.0, 7.8)
    np.testing.assert_array_equal(made.delta_z, [0, 0.01])
    np.testing.assert_array_equal(made.m, [0.02, 0])


def test_missing_values_are_0_and_missing_baryons_none():
    made = Systematics.from_values({}, sources=3)
    assert made.log10_T_AGN is None
    np.testing.assert_array_equal([made.A_IA, made.eta, *made.delta_z, *made.m], np.zeros(8))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"unknown parameters \['m_3'\]: choose from .*'m_2'"):
        Systematics.from_values({"m_3": 0.1}, sources=2)


def test_every_nuisance_parameter_of_the_table_has_a_place_and_a_label():
    names = [name for row in NUISANCE for name in expanded(row, 2)]
    made = Systematics.from_values({name: float(value) for value, name in enumerate(names, start=1)}, sources=2)
    assert {*vars(made)} == {*NUISANCE}
    for value, name in enumerate(names, start=1):
        row, _, number = name.rpartition("_")
        found = getattr(made, row)[int(number) - 1] if row in NUISANCE else getattr(made, name)
        assert float(found) == value
    assert all(map(label, names))
    assert label("delta_z_12") == r"\Delta z_{12}"
