"""What the section of simulation-based inference refuses, by key."""

import pytest

from lenscast.experiment import ConfigError, load

RANGES = {"Omega_c": [0.24, 0.32], "sigma8": [0.6, 1.0], "w0": [-1.05, -0.95]}


def section(**changes):
    return {"simulation_based": {"boxes": 400, "held_out": 100, "ranges": RANGES, **changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (section(boxes=401), "simulation_based.boxes: 401 is not a multiple of boxes_per_batch = 8; give 400"),
        (section(held_out=201), "simulation_based.held_out: 201 of 400 boxes leave too few to learn from; give"),
        (
            section(first_seed=99_990),
            "simulation_based.first_seed: seeds 99990 to 100389 overlap covariance, seeds 100000 to 100047; "
            "set it to 100048 or more",
        ),
        (
            section(ranges={"Omega_c": [0.2, 0.32], "sigma8": [0.6, 1.0]}),
            "simulation_based.ranges.w0: missing; give [lower end, upper end] of its prior",
        ),
        (
            section(ranges={**RANGES, "h": [0.6, 0.8]}),
            "simulation_based.ranges.h: h is not in forecast.parameters (Omega_c, sigma8, w0); remove this line or add",
        ),
        (section(ranges={**RANGES, "w0": [-4.0, -0.8]}), "simulation_based.ranges.w0: [-4, -0.8] leaves the range"),
        (
            section(ranges={**RANGES, "sigma8": [0.9, 1.0]}),
            "simulation_based.ranges.sigma8: [0.9, 1] does not hold the fiducial value 0.8159; widen it",
        ),
        (section(ranges={**RANGES, "sigma8": [1.0, 0.6]}), "simulation_based.ranges.sigma8: "),
        (section(ranges={**RANGES, "sigma8": [0.6]}), "simulation_based.ranges.sigma8: "),
        (section(ranges={**RANGES, "Omega_c": [0.01, 0.32]}), "lightcone.planes: the sources at z = 1 are up to "),
        (section(ranges={**RANGES, "Omega_c": [0.2, 0.98]}), "simulation_based.ranges: their corner Omega_c = 0.98"),
        (section(flow="coupling"), "simulation_based.flow: "),
    ],
)  # fmt: skip
def test_wrong_priors_are_refused_by_key(changed, changes, message):
    with pytest.raises(ConfigError) as refused:
        load(changed(changes))
    assert message in str(refused.value)


def test_the_box_holds_the_field_in_all_cosmologies_of_the_prior(changed):
    narrow = section(ranges={**RANGES, "Omega_c": [0.1, 0.32]})
    with pytest.raises(ConfigError, match=r"lightcone.field_deg: the sources at z = 1 are up to \d+ Mpc/h .* wider"):
        load(changed({**narrow, "lightcone.planes": 16}))


def test_batches_are_those_of_all_boxes_and_none_without_ranges(changed, default):
    experiment = load(changed(section()))
    batches = experiment.batches["simulation_based"]
    assert next(iter(batches)) == "seeds_400000_400007"
    assert [*batches][-1] == "seeds_400392_400399"
    assert [*experiment.prior_ranges] == ["Omega_c", "sigma8", "w0"]
    assert load(default).batches["simulation_based"] == {}
    left_out = load(changed({**section(), "left_out_seeds": [400_003]}))
    assert left_out.left_out_seeds == (400_003,)
    with pytest.raises(ConfigError, match="400003 is no seed of this run"):
        load(changed({"left_out_seeds": [400_003]}))


def test_sources_with_parameters_of_their_own_share_a_range(changed):
    parameters = ["Omega_c", "sigma8", "m"]
    changes = {
        "forecast.parameters": parameters,
        "forecast.priors": {},
        "finite_differences.steps": {"Omega_c": 0.002, "sigma8": 0.003},
        **section(ranges={"Omega_c": [0.24, 0.32], "sigma8": [0.6, 1.0], "m": [-0.05, 0.05]}),
    }
    assert load(changed(changes)).prior_ranges["m_2"] == (-0.05, 0.05)
