"""The index by the earliest finish: where substations stand, for how long, and who is found."""

from dataclasses import replace

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Reading
from load_balancer.routing.index.buckets import Bucket, BucketKey, part_of_octave
from load_balancer.routing.index.finish_index import FinishIndex
from load_balancer.routing.policy import Option, Request
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import candidate_of
from tests.unit.load_balancer.routing.grid import polled_substation

# Four sessions of 40 kW at points of 50 kW share 100 kW.
LIMITED = Reading(
    4,
    4,
    power_kw=100.0,
    power_limit_kw=100.0,
    point_power_kw=50.0,
    committed_power_kw=160.0,
    remaining_energy_kwh=40.0,
    time_scale=3600.0,
)
IDLE = replace(LIMITED, load=0, power_kw=0.0, committed_power_kw=0.0, remaining_energy_kwh=0.0)
NOW = 10.0


def substation(order: int, reading: Reading) -> Substation:
    return polled_substation(reading, name=f"s{order}", order=order, now=NOW)


def put(index: FinishIndex, found: Substation, until: float = NOW) -> None:
    score = (found.load + 1) / found.capacity
    index.put((score, found.last_chosen, found.order, found), until)


def option_of(found: Substation) -> Option:
    candidate = candidate_of(found, found.capacity, NOW)
    return Option(candidate, found.capacity - found.known_load, found.supply(NOW))


def found_by(index: FinishIndex, request: Request) -> list[str]:
    return sorted(one.candidate.name for one in index.options(request, option_of))


def test_a_substation_is_put_anew_once_its_place_is_too_old() -> None:
    index, found = FinishIndex(), substation(1, LIMITED)
    put(index, found, NOW + 3)
    put(index, found, NOW + 4)
    assert index.expired(NOW + 4) == []
    assert index.expired(NOW + 4.1) == [found]
    put(index, found, NOW + 7.1)
    assert index.expired(NOW + 7.0) == []
    assert index.expired(NOW + 7.2) == [found]


def test_one_that_was_removed_does_not_expire() -> None:
    index, found = FinishIndex(), substation(1, LIMITED)
    put(index, found)
    index.remove(found)
    assert index.expired(NOW + 10) == []
    assert found_by(index, Request(Demand(10.0), 60.0)) == []
    put(index, found, NOW + 20)
    assert index.expired(NOW + 21) == [found]


def test_one_that_does_not_publish_its_power_is_not_here() -> None:
    index, found = FinishIndex(), substation(1, Reading(0, 4))
    put(index, found)
    assert found_by(index, Request(Demand(10.0))) == []


def test_of_equal_costs_in_several_tiers_none_is_missed() -> None:
    # The limits differ, but none holds this vehicle back, so all four cost the same.
    index = FinishIndex()
    limits_kw = (45.0, 45.0, 40.0, 35.0)
    for order, limit_kw in enumerate(limits_kw, start=1):
        put(index, substation(order, replace(IDLE, power_limit_kw=limit_kw)))
    request = Request(Demand(10.0, 30.0))
    # Of one tier only the first two can be among the best two.
    assert found_by(index, request) == ["s1", "s2", "s3", "s4"]


def test_a_third_of_a_tier_is_never_among_the_best_two() -> None:
    index = FinishIndex()
    for order in (1, 2, 3):
        put(index, substation(order, IDLE))
    assert found_by(index, Request(Demand(10.0))) == ["s1", "s2"]


def test_a_full_substation_is_an_option_for_who_can_wait_until_a_point_is_free() -> None:
    index, found = FinishIndex(), substation(1, LIMITED)
    put(index, found)
    # The first of four ends after a sixteenth of the energy, at a quarter of the limit.
    start_s = 40.0 / 16 / 25.0
    assert found_by(index, Request(Demand(10.0, 30.0), 2 * start_s)) == ["s1"]
    assert found_by(index, Request(Demand(10.0, 30.0), 1.99 * start_s)) == []
    assert found_by(index, Request(Demand(10.0, 30.0))) == []


def test_powers_are_similar_within_an_eighth_of_an_octave() -> None:
    assert [part_of_octave(kw) for kw in (1.0, 1.09, 1.1, 2.0, 4.0)] == [0, 0, 1, 8, 16]
    assert part_of_octave(0.0) == part_of_octave(1e-3)
    assert part_of_octave(float("inf")) == part_of_octave(1e12)


def test_a_bucket_keeps_its_substations_by_energy_and_the_ranges_of_their_powers() -> None:
    bucket = Bucket(BucketKey(50.0, 1.0, 4, 3, 3, 0, 0))
    one, two = substation(1, LIMITED), substation(2, LIMITED)
    bucket.add((30.0, 1, one), 100.0, 40.0)
    bucket.add((20.0, 2, two), 90.0, 45.0)
    assert (len(bucket), bucket.score, bucket.waits) == (2, 1.0, False)
    assert [entry[1] for entry in bucket.substations] == [2, 1]
    assert bucket.supply_range(0) == (3, 40.0, 45.0, 90.0, 100.0, 20.0)
    assert bucket.supply_range(1).min_kwh == 30.0
    bucket.add((25.0, 3, one), 95.0, 42.0)
    assert bucket.supply_range(1) == (3, 40.0, 45.0, 90.0, 100.0, 25.0)
    bucket.remove((25.0, 3, one))
    assert bucket.tier == (50.0, 1.0, 50.0)
    bucket.remove((20.0, 2, two))
    assert bucket.substations == [(30.0, 1, one)]
    assert bucket.supply_range(0).min_limit_kw == 90.0  # as of those that have left
    weak = Bucket(BucketKey(50.0, 1.0, 4, 4, 4, 0, 0))
    weak.add((1.0, 1, one), 30.0, 40.0)
    assert (weak.tier, weak.waits) == ((50.0, 1.0, 30.0), True)
    weakest = Bucket(BucketKey(50.0, 1.0, 4, 4, 4, 0, 0))
    weakest.add((1.0, 1, one), 0.5, 0.25)
    assert weakest.supply_range(0) == (4, 0.25, 0.25, 0.5, 0.5, 1.0)
