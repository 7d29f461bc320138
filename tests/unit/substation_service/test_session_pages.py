"""Pages of sessions: each session once, whatever the page's length, at little cost each."""

from itertools import islice

import pytest

from substation_service.register import Register, State
from substation_service.registers import Limits, Registers
from substation_service.session_routes import _cursor, _cursor_of, _from
from substation_service.substation import Substation

ENDED = 4_000


class Counted(Register):
    """A register that counts how often any of them is looked at."""

    looks = 0

    @property
    def number(self) -> int:
        Counted.looks += 1
        return self._number

    @number.setter
    def number(self, number: int) -> None:
        self._number = number


def registers() -> Registers:
    known = Registers(Substation(4, 50.0), lambda _attempt: None, limits=Limits(ENDED, ENDED))
    ended = []
    for index in range(ENDED):
        register = Counted(f"s{index}", "v", 1.0, 0.0)
        register.state, register.ended_at = State.CHARGED, float(index)
        register.grace_s = 60.0 if index % 3 else None
        ended.append(register)
    known.restore(ended, 0.0)
    return known


@pytest.mark.parametrize("limit", [1, 7, 1000, ENDED])
def test_all_pages_together_are_all_sessions_once_newest_first(limit: int) -> None:
    known, cursor, listed = registers(), None, []
    while True:
        page = list(islice(_from(known, _cursor(cursor)), limit + 1))
        listed += [one.session_id for one in page[:limit]]
        if len(page) <= limit:
            break
        cursor = _cursor_of(page[limit])
    assert listed == [f"s{index}" for index in reversed(range(ENDED))]


def test_the_last_page_costs_as_little_as_the_first() -> None:
    known = registers()
    Counted.looks = 0
    page = list(islice(_from(known, ("e", 10)), 5))

    assert len(page) == 5
    assert Counted.looks < 100
