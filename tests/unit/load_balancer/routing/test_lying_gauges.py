"""Whatever the gauges of substations say, a vehicle goes somewhere: no lie stops the balancer."""

from math import isnan
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from load_balancer.gauge import read_gauge
from load_balancer.profile import SubstationProfile
from load_balancer.routing.demand import Demand
from load_balancer.routing.earliest_finish import EarliestFinish
from load_balancer.routing.energy import EnergyEstimate
from load_balancer.routing.policy import Option, Request
from tests.unit.load_balancer.routing.grid import candidate

CAPACITY = 4
GAUGES = (
    "substation_power_kw",
    "substation_power_limit_kw",
    "substation_point_power_kw",
    "substation_committed_power_kw",
    "substation_remaining_energy_kwh",
    "substation_time_scale",
)
EXTREMES = st.sampled_from([0.0, -1.0, 5e-324, 1e-320, 1e-300, 1e-9, 1.0, 50.0, 1e12, 1e300, 1e308])
VALUES = st.fixed_dictionaries({name: EXTREMES | st.floats() for name in GAUGES})
HONEST = dict(zip(GAUGES, (50.0, 200.0, 50.0, 50.0, 20.0, 360.0), strict=True))
SUBSTATIONS = st.lists(st.tuples(st.integers(0, CAPACITY), VALUES), min_size=1, max_size=3)
DEMANDS = st.sampled_from(
    [Demand(6), Demand(1000, 150), Demand(5e-324, 1), Demand(1, 10_000, 60, 0.98)]
)


def option(number: int, load: int, values: dict[str, float], passed_s: float) -> Option:
    lines = [f"{name} {value}" for name, value in values.items()]
    page = [f"substation_current_load {load}", f"substation_capacity {CAPACITY}", *lines, ""]
    energy = EnergyEstimate.of(read_gauge("\n".join(page), SubstationProfile()), 0.0)
    supply = None if energy is None else energy.supply(load, passed_s)
    return Option(candidate(str(number), load, CAPACITY, number), CAPACITY - load, supply)


@given(
    substations=SUBSTATIONS,
    demand=DEMANDS,
    passed_s=st.sampled_from([0.0, 1.0, 1e6]),
    max_deferral_s=st.sampled_from([0.0, 60.0]),
)
@example([(1, HONEST | {"substation_time_scale": 1e-322})], Demand(6), 0.0, 0.0)
@example([(1, HONEST | {"substation_power_limit_kw": 1e-320})], Demand(1000, 150), 0.0, 0.0)
@example([(1, HONEST | {"substation_point_power_kw": 5e-324})], Demand(6, 1, 60, 0.9), 0.0, 0.0)
def test_a_vehicle_goes_somewhere_whatever_gauges_say(
    substations: list[tuple[int, dict[str, float]]],
    demand: Demand,
    passed_s: float,
    max_deferral_s: float,
) -> None:
    free = (0, HONEST)
    options = [
        option(number, *substation, passed_s)
        for number, substation in enumerate([*substations, free])
    ]
    choice = EarliestFinish().choose(options, Request(demand, max_deferral_s, 3), Random(1))
    assert choice.waits or choice.candidate.load < CAPACITY
    if choice.prediction is not None:
        assert not isnan(choice.prediction.finish_s)
        assert choice.prediction.start_s >= 0
        assert choice.prediction.charging_s >= 0
