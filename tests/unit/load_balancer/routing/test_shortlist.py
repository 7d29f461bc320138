"""What is kept of a choice among many."""

from hypothesis import given
from hypothesis import strategies as st

from load_balancer.routing.view import shortlist, shortlist_reasons
from tests.unit.load_balancer.routing.grid import candidate


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=60),
    st.data(),
)
def test_the_chosen_the_best_and_the_fullest_are_kept(
    loads: list[tuple[int, int]], data: st.DataObject
) -> None:
    candidates = [candidate(f"s{number}", *one) for number, one in enumerate(loads)]
    chosen = data.draw(st.sampled_from(candidates))

    kept = shortlist(candidates, chosen)

    assert len(kept) == min(8, len(candidates))
    assert [one for one in candidates if one in kept] == list(kept)
    assert chosen in kept
    scores = sorted(one.score for one in candidates)
    assert sorted(one.score for one in kept)[: min(5, len(kept))] == scores[: min(5, len(kept))]
    assert max(one.score for one in kept) == scores[-1]
    assert max(one.load for one in kept) == max(one.load for one in candidates)


def test_of_those_passed_over_the_merely_full_go_first() -> None:
    ineligible = [
        (f"substation{n}", "full (4 of 4)" if n % 2 else "down: refused") for n in range(40)
    ]

    kept = shortlist_reasons(ineligible)

    assert kept == tuple((f"substation{n}", "down: refused") for n in range(0, 16, 2))


def test_a_few_passed_over_are_all_kept_in_order() -> None:
    ineligible = [
        (f"substation{n}", "full (4 of 4)" if n % 2 else "down: refused") for n in range(8)
    ]
    assert shortlist_reasons(ineligible) == tuple(ineligible)


def test_8_of_9_are_kept() -> None:
    candidates = [candidate(f"s{n}", n) for n in range(9)]
    assert shortlist(candidates[:8], candidates[3]) == tuple(candidates[:8])
    assert shortlist(candidates, candidates[0]) == tuple(candidates[:7] + candidates[8:])
    assert len(shortlist_reasons([("a", "down")] * 9)) == 8
