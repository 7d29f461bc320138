"""Substations over a run, from samples and answers."""

import pytest

from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Growth, Reconciliation
from load_tester.substation import GridSamples, load_over_time, report_substations
from load_tester.vehicle import Outcome
from tests.unit.load_tester.builders import TAG, charge


def page(waiting: int, **loads: int) -> dict[str, object]:
    substations = [
        {
            "name": name,
            "address": f"http://{name}",
            "health": "up" if load < 9 else "down",
            "load": load,
            "capacity": 8,
        }
        for name, load in loads.items()
    ]
    return {"policy": "least-loaded", "waiting": waiting, "substations": substations}


def test_a_substations_load_over_time_is_the_mean_of_its_vehicles_stays() -> None:
    charges = [
        charge(1, due=0.0, took=4.0),  # at its substation from 0 to 4
        charge(2, due=0.0, took=4.0, charging_s=2.5),  # waited, then from 1.5 to 4
        charge(3, due=5.0, took=2.0, substation="substation2"),  # from 5 to 7
        charge(4, due=0.0, outcome=Outcome.REFUSED),
    ]
    loads = load_over_time(charges, bins=8, end=8.0)
    assert loads["substation1"] == pytest.approx([1, 1.5, 2, 2, 0, 0, 0, 0])
    assert loads["substation2"] == pytest.approx([0, 0, 0, 0, 0, 1, 1, 0])


def test_the_last_stretch_takes_what_ends_exactly_with_it() -> None:
    loads = load_over_time([charge(1, took=8.0)], bins=4, end=8.0)
    assert loads["substation1"] == pytest.approx([1, 1, 1, 1])


def test_samples_keep_the_peaks() -> None:
    samples = GridSamples()
    samples.absorb(page(0, a=1, b=0), 0.0)
    samples.absorb(page(7, a=8, b=9), 0.5)
    samples.absorb(page(2, a=3), 1.0)
    assert samples.peak_waiting == 7
    assert samples.addresses == {"a": "http://a", "b": "http://b"}
    assert [sample.load for sample in samples.substations["a"]] == [1, 8, 3]


@pytest.mark.parametrize("garbage", [{}, {"substations": 3}])
def test_another_kind_of_page_is_refused(garbage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="without `substations`"):
        GridSamples().absorb(garbage, 0.0)


def test_substations_without_a_name_are_passed_over() -> None:
    samples = GridSamples()
    samples.absorb({"substations": [3, {}, {"name": "a"}]}, 0.0)
    assert list(samples.substations) == ["a"]


def test_the_table_of_substations_joins_answers_samples_decisions_and_counters() -> None:
    samples = GridSamples()
    samples.absorb(page(0, substation1=2, substation2=9), 0.0)
    decisions = DecisionRecords(TAG, peaks={"substation1": (5, 8), "substation10": (1, 3)})
    reconciliation = Reconciliation(
        growth={"http://substation1": Growth(2, 20.0), "http://substation2": Growth(gap="gone")}
    )
    charges = [
        charge(1),
        charge(2),
        charge(3, outcome=Outcome.ACCEPTED, substation="substation2"),
        charge(4, outcome=Outcome.FAILED, substation="substation2"),
    ]
    one, two, ten = report_substations(charges, samples, decisions, reconciliation)
    assert (one.name, two.name, ten.name) == ("substation1", "substation2", "substation10")
    assert (one.vehicles, one.kwh, one.capacity, one.peak_load) == (2, 20.0, 8, 5)
    assert (one.counted, one.counted_kwh) == (2, 20.0)
    assert (two.vehicles, two.peak_load, two.counted, two.unhealthy_samples) == (1, 9, None, 1)
    assert (ten.vehicles, ten.capacity, ten.peak_load) == (0, 3, 1)
