"""The balancer's account of its choices, judged."""

from typing import Any

import pytest

from load_tester.reconciliation.decisions import DecisionRecords
from tests.unit.load_tester.builders import BEGAN, TAG, decision


def records_of(*decisions: dict[str, Any], since: int = 0) -> DecisionRecords:
    records = DecisionRecords(TAG, BEGAN)
    records.cursor().since = since
    assert not records.absorb({"last": decisions[-1]["sequence"], "decisions": list(decisions)})
    return records


def test_a_choice_is_right_when_no_candidate_had_a_lower_score() -> None:
    records = records_of(
        decision(1, "c", {"a": (0, 4), "b": (0, 8), "c": (0, 12)}),
        decision(2, "a", {"a": (0, 2), "b": (3, 8)}),  # a tie, 0.5 each
        decision(3, "b", {"b": (7, 8)}),
    )
    assert (records.total, records.least_loaded, records.misjudged) == (3, 3, [])
    assert records.complete


def test_a_choice_that_passes_over_a_lower_score_is_shown() -> None:
    records = records_of(decision(1, "a", {"a": (1, 4), "b": (1, 8)}))
    (wrong,) = records.misjudged
    assert (records.least_loaded, wrong.chosen, wrong.least) == (0, "a", "b")
    assert (wrong.chosen_score, wrong.least_score) == (0.5, 0.25)


def test_the_score_is_taken_from_load_and_capacity_whatever_the_balancer_says() -> None:
    lying = decision(1, "a", {"a": (3, 4), "b": (0, 4)})
    lying["candidates"][0]["score"] = 0.0
    assert records_of(lying).least_loaded == 0


def test_imbalance_is_taken_just_after_the_dispatch() -> None:
    records = records_of(
        decision(1, "a", {"a": (2, 10), "b": (2, 10)}),
        decision(2, "a", {"a": (4, 8), "b": (3, 12)}),
    )
    assert records.widest is not None
    assert records.widest_share is not None
    assert (records.widest.gap, records.widest.loads) == (2, {"a": (5, 8), "b": (3, 12)})
    assert records.widest_share.gap == pytest.approx(100 * (5 / 8 - 3 / 12))
    assert records.widest.describe() == "2 vehicles at 1.5 s (a 5 of 8, b 3 of 12)"
    assert records.widest_share.describe().startswith("37.5 percentage points at 1.5 s")


def test_peak_loads_count_the_vehicle_itself_and_show_a_substation_over_its_capacity() -> None:
    records = records_of(
        decision(1, "a", {"a": (3, 4)}),
        decision(2, "a", {"a": (4, 4)}),
        decision(3, "b", {"b": (1, 9)}),
    )
    assert records.peaks == {"a": (5, 4), "b": (2, 9)}
    assert records.over_capacity == 1


def test_sessions_of_others_are_reported_from_this_runs() -> None:
    records = records_of(
        decision(1, "a", {"a": (0, 4)}),
        decision(2, "a", {"a": (1, 4)}, vehicle_id="EV-1", session_id="theirs"),
        decision(3, "b", {"b": (1, 4)}, vehicle_id=f"{TAG}000001", session_id="session-1"),
    )
    assert records.foreign == {"theirs"}
    assert records.sessions == {f"{TAG}000001": {"session-1"}}
    assert records.substations == {"session-1": "b"}  # where it was sent last


def test_decisions_that_the_ring_had_dropped_are_counted_as_missed() -> None:
    records = records_of(decision(8, "a", {"a": (0, 4)}), decision(11, "a", {"a": (0, 4)}), since=3)
    assert records.missed == 4 + 2
    assert not records.complete


def test_a_decision_seen_before_is_not_counted_again() -> None:
    records = records_of(decision(1, "a", {"a": (0, 4)}))
    records.absorb(
        {"last": 2, "decisions": [decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (1, 4)})]}
    )
    assert (records.total, records.missed) == (2, 0)


def test_a_last_lower_than_ours_means_a_new_balancer_and_starts_again() -> None:
    records = records_of(decision(40, "a", {"a": (0, 4)}), since=39)
    assert records.absorb({"last": 2, "decisions": []})
    assert (records.cursor().since, records.restarts) == (0, 1)
    assert not records.absorb({"last": 1, "decisions": [decision(1, "a", {"a": (0, 4)})]})
    assert records.total == 2
    assert "1 restarts" in records.describe_gaps()


@pytest.mark.parametrize("change", [{"session_id": "another"}, {"time": "2027-01-15T08:00:09Z"}])
def test_a_sequence_that_has_become_another_decision_means_a_new_balancer(
    change: dict[str, Any],
) -> None:
    # It has made more decisions than the one before, so its `last` tells nothing.
    records = records_of(decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (0, 4)}))
    assert records.cursor().overlap == 1
    page = [{**decision(2, "a", {"a": (0, 4)}), **change}, decision(3, "a", {"a": (0, 4)})]
    assert records.absorb({"last": 3, "decisions": page})
    assert (records.cursor().since, records.cursor().overlap, records.restarts, records.total) == (
        0,
        0,
        1,
        2,
    )
    page.insert(0, decision(1, "b", {"b": (0, 4)}))
    assert not records.absorb({"last": 3, "decisions": page})
    assert (records.cursor().since, records.restarts, records.total) == (3, 1, 5)
    assert not records.complete


def test_the_last_decision_before_the_run_reveals_a_restarted_balancer_too() -> None:
    records = records_of(decision(7, "a", {"a": (0, 4)}), since=7)
    assert (records.total, records.missed) == (0, 0)
    again = decision(7, "a", {"a": (0, 4)})
    assert not records.absorb({"last": 8, "decisions": [again, decision(8, "a", {"a": (0, 4)})]})
    assert (records.total, records.restarts) == (1, 0)
    records = records_of(decision(7, "a", {"a": (0, 4)}), since=7)
    records.absorb({"last": 7, "decisions": [{**again, "session_id": "another"}]})
    assert records.restarts == 1


def test_a_page_of_decisions_without_a_sequence_does_not_ask_for_more_for_ever() -> None:
    nameless = {**decision(1, "a", {"a": (0, 4)})}
    del nameless["sequence"]
    records = DecisionRecords(TAG)
    assert not records.absorb({"last": 9, "decisions": [nameless]})
    assert (records.unreadable, records.complete) == (1, False)


def test_a_page_that_ends_before_last_asks_for_the_next() -> None:
    records = DecisionRecords(TAG)
    assert records.absorb({"last": 9, "decisions": [decision(1, "a", {"a": (0, 4)})]})
    assert not records.absorb({"last": 9, "decisions": []})  # nothing more to be had: do not spin


def test_decisions_that_could_not_be_had_at_the_end_are_reported() -> None:
    records = records_of(decision(1, "a", {"a": (0, 4)}))
    records.cut_off = True
    assert not records.complete
    assert records.describe_gaps().endswith("and the last could not be had")


@pytest.mark.parametrize(
    "change",
    [
        {"candidates": []},
        {"candidates": None},
        {"substation": "unheard-of"},
        {"time": "yesterday"},
        {"vehicle_id": 5},
        {"sequence": "one"},
    ],
)
def test_a_garbled_decision_is_counted_and_the_rest_is_read(change: dict[str, Any]) -> None:
    garbled = {**decision(1, "a", {"a": (0, 4)}), **change}
    records = DecisionRecords(TAG, BEGAN)
    records.absorb({"last": 2, "decisions": [garbled, decision(2, "a", {"a": (0, 4)})]})
    assert records.unreadable == 1
    assert records.least_loaded == 1


@pytest.mark.parametrize("page", [{}, {"last": "x", "decisions": []}, {"last": 1, "decisions": {}}])
def test_another_kind_of_page_is_refused(page: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="without `last` and `decisions`"):
        DecisionRecords(TAG).absorb(page)


def test_each_balancer_counts_its_own_decisions() -> None:
    records = DecisionRecords(TAG, BEGAN)
    first = [decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (1, 4)})]
    second = [decision(1, "b", {"b": (0, 4)}), decision(2, "b", {"b": (1, 4)})]
    for balancer, decisions in (("one", first), ("two", second), ("one", first)):
        assert not records.absorb({"last": 2, "decisions": decisions}, balancer)
    assert (records.total, records.restarts, records.missed) == (4, 0, 0)
    assert records.complete
    assert (records.cursor("one").since, records.cursor("two").since) == (2, 2)
