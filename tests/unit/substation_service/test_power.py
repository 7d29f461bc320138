"""How a limit is shared, held to an exact solver."""

from collections.abc import Sequence
from math import fsum

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog  # type: ignore[import-untyped] # scipy has no types

from substation_service.power import ALLOCATIONS, Sharing, equal, first_come

CAPS = st.lists(st.floats(0, 400), max_size=40)
LIMITS = st.floats(0, 5000)


def solved(objective: Sequence[float], lows: Sequence[float], caps: Sequence[float], limit: float,
           at_least: Sequence[Sequence[float]] = ()) -> list[float]:  # fmt: skip
    """Maximise a sum of powers within their bounds and the limit; HiGHS solves it.

    Args:
        objective: what each power counts; one number more than there are caps stands for a level.
        lows: the least that each power may be.
        caps: the most.
        limit: on their sum.
        at_least: rows that must not be negative.
    """
    free = len(objective) - len(caps)
    rows = [[1.0] * len(caps) + [0.0] * free, *(list(np.negative(row)) for row in at_least)]
    bounds = [*zip(lows, caps, strict=True), *[(0, None)] * free]
    found = linprog(
        np.negative(objective), A_ub=rows, b_ub=[limit, *[0.0] * len(at_least)], bounds=bounds
    )
    assert found.status == 0, found.message
    return [float(value) for value in found.x]


def exact_equal(caps: Sequence[float], limit: float) -> tuple[list[float], float]:
    """Raise the least power as far as it goes, then the least of those that can go on, and so on.

    Returns the powers and the last level.
    """
    lows, raised, level = [0.0] * len(caps), set(range(len(caps))), 0.0
    while raised:
        rows = [
            [float(other == one) for other in range(len(caps))] + [-1.0] for one in sorted(raised)
        ]
        level = solved([0.0] * len(caps) + [1.0], lows, caps, limit, rows)[-1]
        for one in raised:
            lows[one] = min(level, caps[one])
        stuck = {one for one in raised if _most(one, lows, caps, limit) <= level + 1e-6}
        assert stuck  # else the level would not have been the highest
        raised -= stuck
    return lows, level


def exact_first_come(caps: Sequence[float], limit: float) -> list[float]:
    """Raise the first as far as it goes when each has half of its equal share, then the second."""
    level = exact_equal(caps, limit)[1]
    powers = [min(cap, level / 2) for cap in caps]
    for one in range(len(caps)):
        powers[one] = max(powers[one], _most(one, powers, caps, limit))
    return powers


def _most(one: int, lows: Sequence[float], caps: Sequence[float], limit: float) -> float:
    objective = [float(other == one) for other in range(len(caps))]
    # Rounding must not leave the solver without a way out.
    return solved(objective, [low * (1 - 1e-9) for low in lows], caps, limit)[one]


@given(caps=st.lists(st.floats(0.1, 400), min_size=1, max_size=5), share=st.floats(0.01, 1.2))
@settings(max_examples=60)
def test_powers_are_those_that_an_exact_solver_finds(caps: list[float], share: float) -> None:
    limit = share * fsum(caps)

    within = 1e-5 * limit
    assert equal(caps, limit) == pytest.approx(exact_equal(caps, limit)[0], abs=within)
    assert first_come(caps, limit) == pytest.approx(exact_first_come(caps, limit), abs=within)


@pytest.mark.parametrize("sharing", Sharing)
@given(caps=CAPS, limit=LIMITS)
@example(caps=[0.1] * 3, limit=0.3)
@example(caps=[0.1] * 30, limit=0.7)
@example(caps=[14.6, 50.2, 14.5], limit=36.6)  # 14.6 - x + x is over 14.6
@example(caps=[60.0, 6.2, 7.7, 24.2, 66.8, 40.6], limit=187.9)  # and so is what is scaled to it
@example(caps=[2.4, 75.0, 0.0], limit=20.1)  # what is left is less than nothing
@example(caps=[5e-324] * 3, limit=5e-324)
@example(caps=[1.0] * 4, limit=2.17e-322)
@settings(max_examples=400)
def test_nothing_is_over_the_limit_or_a_cap_and_nothing_is_left_that_is_wanted(
    sharing: Sharing, caps: list[float], limit: float
) -> None:
    powers = ALLOCATIONS[sharing](caps, limit)

    assert fsum(powers) <= limit  # not by a rounding error
    assert all(0 <= power <= cap for power, cap in zip(powers, caps, strict=True))
    assert fsum(powers) >= min(limit, fsum(caps)) * (1 - 1e-12) - 1e-300
    if caps:
        half = limit / len(caps) / 2
        for power, cap in zip(powers, caps, strict=True):
            assert power >= min(cap, half) * (1 - 1e-12) - 1e-300


@given(caps=CAPS, limit=LIMITS)
def test_equal_shares_have_one_level_that_all_reach_who_can(
    caps: list[float], limit: float
) -> None:
    powers = equal(caps, limit)

    level = max(powers, default=0.0)
    for power, cap in zip(powers, caps, strict=True):
        assert power >= min(cap, level) * (1 - 1e-12) - 1e-300


@given(caps=CAPS, limit=LIMITS)
def test_who_came_first_has_all_it_can_before_another_has_more_than_its_guarantee(
    caps: list[float], limit: float
) -> None:
    powers = first_come(caps, limit)
    guarantee = max(equal(caps, limit), default=0.0) / 2

    held_back = False
    for power, cap in zip(powers, caps, strict=True):
        if held_back:
            assert power <= min(cap, guarantee) * (1 + 1e-9) + 1e-9
        held_back = held_back or power < cap * (1 - 1e-9) - 1e-9


def test_each_way_to_share_gives_what_its_example_says() -> None:
    assert equal([11, 50, 150, 350], 200) == [11, 50, 69.5, 69.5]
    assert first_come([350, 11, 150, 50], 200) == [119.5, 11, 34.75, 34.75]
