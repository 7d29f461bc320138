"""The balancer's account of its choices, judged."""

from typing import Any

import pytest

from load_tester.reconciliation.decisions import DecisionBook
from tests.unit.load_tester.builders import BEGAN, TAG, decision


def book_of(*decisions: dict[str, Any], since: int = 0) -> DecisionBook:
    book = DecisionBook(TAG, BEGAN)
    book.cursor().since = since
    assert not book.absorb({"last": decisions[-1]["sequence"], "decisions": list(decisions)})
    return book


def test_a_choice_is_right_when_no_candidate_had_a_lower_score() -> None:
    book = book_of(
        decision(1, "c", {"a": (0, 4), "b": (0, 8), "c": (0, 12)}),
        decision(2, "a", {"a": (0, 2), "b": (3, 8)}),  # a tie, 0.5 each
        decision(3, "b", {"b": (7, 8)}),
    )
    assert (book.total, book.least_loaded, book.misjudged) == (3, 3, [])
    assert book.complete


def test_a_choice_that_passes_over_a_lower_score_is_shown() -> None:
    book = book_of(decision(1, "a", {"a": (1, 4), "b": (1, 8)}))
    (wrong,) = book.misjudged
    assert (book.least_loaded, wrong.chosen, wrong.least) == (0, "a", "b")
    assert (wrong.chosen_score, wrong.least_score) == (0.5, 0.25)


def test_the_score_is_taken_from_load_and_capacity_whatever_the_balancer_says() -> None:
    lying = decision(1, "a", {"a": (3, 4), "b": (0, 4)})
    lying["candidates"][0]["score"] = 0.0
    assert book_of(lying).least_loaded == 0


def test_imbalance_is_taken_just_after_the_dispatch() -> None:
    book = book_of(
        decision(1, "a", {"a": (2, 10), "b": (2, 10)}),
        decision(2, "a", {"a": (4, 8), "b": (3, 12)}),
    )
    assert book.widest is not None
    assert book.widest_share is not None
    assert (book.widest.gap, book.widest.loads) == (2, {"a": (5, 8), "b": (3, 12)})
    assert book.widest_share.gap == pytest.approx(100 * (5 / 8 - 3 / 12))
    assert book.widest.describe() == "2 vehicles at 1.5 s (a 5 of 8, b 3 of 12)"


def test_peak_loads_count_the_vehicle_itself_and_show_a_substation_over_its_capacity() -> None:
    book = book_of(
        decision(1, "a", {"a": (3, 4)}),
        decision(2, "a", {"a": (4, 4)}),
        decision(3, "b", {"b": (1, 9)}),
    )
    assert book.peaks == {"a": (5, 4), "b": (2, 9)}
    assert book.over_capacity == 1


def test_sessions_of_others_are_reported_from_this_runs() -> None:
    book = book_of(
        decision(1, "a", {"a": (0, 4)}),
        decision(2, "a", {"a": (1, 4)}, vehicle_id="EV-1", session_id="theirs"),
        decision(3, "b", {"b": (1, 4)}, vehicle_id=f"{TAG}000001", session_id="session-1"),
    )
    assert book.foreign == {"theirs"}
    assert book.sessions == {f"{TAG}000001": {"session-1"}}
    assert book.substations == {"session-1": "b"}  # where it was sent last


def test_decisions_that_the_ring_had_dropped_are_counted_as_missed() -> None:
    book = book_of(decision(8, "a", {"a": (0, 4)}), decision(11, "a", {"a": (0, 4)}), since=3)
    assert book.missed == 4 + 2
    assert not book.complete


def test_a_decision_seen_before_is_not_counted_again() -> None:
    book = book_of(decision(1, "a", {"a": (0, 4)}))
    book.absorb(
        {"last": 2, "decisions": [decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (1, 4)})]}
    )
    assert (book.total, book.missed) == (2, 0)


def test_a_last_lower_than_ours_means_a_new_balancer_and_starts_again() -> None:
    book = book_of(decision(40, "a", {"a": (0, 4)}), since=39)
    assert book.absorb({"last": 2, "decisions": []})
    assert (book.cursor().since, book.restarts) == (0, 1)
    assert not book.absorb({"last": 1, "decisions": [decision(1, "a", {"a": (0, 4)})]})
    assert book.total == 2
    assert "1 restarts" in book.describe_gaps()


@pytest.mark.parametrize("change", [{"session_id": "another"}, {"time": "2027-01-15T08:00:09Z"}])
def test_a_sequence_that_has_become_another_decision_means_a_new_balancer(
    change: dict[str, Any],
) -> None:
    # It has made more decisions than the one before, so its `last` tells nothing.
    book = book_of(decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (0, 4)}))
    assert book.cursor().overlap == 1
    page = [{**decision(2, "a", {"a": (0, 4)}), **change}, decision(3, "a", {"a": (0, 4)})]
    assert book.absorb({"last": 3, "decisions": page})
    assert (book.cursor().since, book.cursor().overlap, book.restarts, book.total) == (0, 0, 1, 2)
    page.insert(0, decision(1, "b", {"b": (0, 4)}))
    assert not book.absorb({"last": 3, "decisions": page})
    assert (book.cursor().since, book.restarts, book.total) == (3, 1, 5)
    assert not book.complete


def test_the_last_decision_before_the_run_tells_a_new_balancer_too() -> None:
    book = book_of(decision(7, "a", {"a": (0, 4)}), since=7)
    assert (book.total, book.missed) == (0, 0)
    again = decision(7, "a", {"a": (0, 4)})
    assert not book.absorb({"last": 8, "decisions": [again, decision(8, "a", {"a": (0, 4)})]})
    assert (book.total, book.restarts) == (1, 0)
    book = book_of(decision(7, "a", {"a": (0, 4)}), since=7)
    book.absorb({"last": 7, "decisions": [{**again, "session_id": "another"}]})
    assert book.restarts == 1


def test_a_page_of_decisions_without_a_sequence_does_not_ask_for_more_for_ever() -> None:
    nameless = {**decision(1, "a", {"a": (0, 4)})}
    del nameless["sequence"]
    book = DecisionBook(TAG)
    assert not book.absorb({"last": 9, "decisions": [nameless]})
    assert (book.unreadable, book.complete) == (1, False)


def test_a_page_that_ends_before_last_asks_for_the_next() -> None:
    book = DecisionBook(TAG)
    assert book.absorb({"last": 9, "decisions": [decision(1, "a", {"a": (0, 4)})]})
    assert not book.absorb({"last": 9, "decisions": []})  # nothing more to be had: do not spin


def test_decisions_that_could_not_be_had_at_the_end_are_reported() -> None:
    book = book_of(decision(1, "a", {"a": (0, 4)}))
    book.cut_off = True
    assert not book.complete
    assert book.describe_gaps().endswith("and the last could not be had")


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
    book = DecisionBook(TAG, BEGAN)
    book.absorb({"last": 2, "decisions": [garbled, decision(2, "a", {"a": (0, 4)})]})
    assert book.unreadable == 1
    assert book.least_loaded == 1


@pytest.mark.parametrize("page", [{}, {"last": "x", "decisions": []}, {"last": 1, "decisions": {}}])
def test_another_kind_of_page_is_refused(page: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="without `last` and `decisions`"):
        DecisionBook(TAG).absorb(page)


def test_each_balancer_counts_its_own_decisions() -> None:
    book = DecisionBook(TAG, BEGAN)
    first = [decision(1, "a", {"a": (0, 4)}), decision(2, "a", {"a": (1, 4)})]
    second = [decision(1, "b", {"b": (0, 4)}), decision(2, "b", {"b": (1, 4)})]
    for balancer, decisions in (("one", first), ("two", second), ("one", first)):
        assert not book.absorb({"last": 2, "decisions": decisions}, balancer)
    assert (book.total, book.restarts, book.missed) == (4, 0, 0)
    assert book.complete
    assert (book.cursor("one").since, book.cursor("two").since) == (2, 2)
