import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison.occupancy import Away, Occupancy, imbalance

STAYS = st.lists(
    st.tuples(st.floats(0, 10), st.floats(0.1, 5)).map(lambda pair: (pair[0], sum(pair))),
    max_size=30,
)


def test_load_follows_the_stays() -> None:
    substation = Occupancy(4, [(1.0, 3.0), (2.0, 4.0)])
    assert [substation.load(at) for at in (0.5, 1.0, 2.5, 3.5, 4.0)] == [0, 1, 2, 1, 0]


@given(STAYS, st.floats(0, 15))
def test_load_is_the_number_of_stays_that_a_moment_falls_into(
    stays: list[tuple[float, float]], at: float
) -> None:
    expected = sum(began <= at < ended for began, ended in stays)
    assert Occupancy(100, stays).load(at) == expected


def test_a_point_that_has_just_become_free_was_not_free_for_long() -> None:
    substation = Occupancy(1, [(0.0, 2.0)])
    assert not substation.was_free(1.9, 0.05)
    assert not substation.was_free(2.03, 0.05)
    assert substation.was_free(2.06, 0.05)


def test_a_substation_that_is_away_has_no_free_point_until_it_is_back_for_a_while() -> None:
    substation = Occupancy(4, [], [Away(1.0, 2.0)])
    assert substation.was_free(0.9, 0.05)
    assert not substation.is_usable(1.0)
    assert not substation.was_free(1.5, 0.05)
    assert not substation.was_free(2.03, 0.05)
    assert substation.is_usable(2.0)
    assert substation.was_free(2.06, 0.05)


def test_imbalance_is_the_time_mean_of_fullest_less_emptiest() -> None:
    # For the first second 4 of 4 against 0 of 8; then 0 against 0.
    substations = [Occupancy(4, [(0.0, 1.0)] * 4), Occupancy(8, [])]
    found = imbalance(substations, until=2.0)
    assert found.mean == pytest.approx(0.5)
    assert found.worst == pytest.approx(1.0)


def test_an_imbalance_that_lasts_for_a_moment_is_not_the_worst() -> None:
    substations = [Occupancy(1, [(1.01, 1.02)]), Occupancy(1, [])]
    assert imbalance(substations, until=2.0).worst == pytest.approx(0.1)


def test_a_substation_that_is_away_does_not_count_as_empty() -> None:
    substations = [Occupancy(4, [(0.0, 9.0)] * 4), Occupancy(4, [], [Away(0.0, 9.0)])]
    assert imbalance(substations, until=2.0).mean == 0


@given(STAYS, STAYS)
def test_imbalance_is_a_share_and_its_worst_is_no_less_than_its_mean(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    found = imbalance([Occupancy(30, one), Occupancy(30, other)], until=5.0)
    assert -1e-9 <= found.mean <= found.worst + 1e-9 <= 1 + 1e-6
