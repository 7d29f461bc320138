"""What the day's sessions come to, and which are open, on each database."""

from datetime import datetime, timedelta

from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.query import read_query
from charge_request_service.sessions.record import State
from charge_request_service.sessions.totals import Totals
from tests.integration.sessions.conftest import OpenLedger
from tests.support.session_rows import a_begin, an_end

NOON = datetime(2026, 11, 26, 12)


class Clock:
    """Tells the time of a day that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def __call__(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s)


def write(
    ledger: Ledger, at: datetime, state: State | None = State.CHARGED, owner: str = ""
) -> str:
    begin = a_begin(ledger, began_us=int(at.timestamp() * 1e6), owner=owner)
    assert ledger.begin(begin) is None
    if state is State.REFUSED:
        assert ledger.end(an_end(begin, state, energy_kwh=None))
    elif state is not None:
        assert ledger.end(an_end(begin, state))
    return begin.session_id


def counts(totals: Totals, owner: str | None = None) -> tuple[int, int, int, int, int, float]:
    reported = totals.document(owner)
    names = ("vehicles", "open", "charged", "stopped", "refused", "energy_kwh")
    vehicles, *others = (reported[name] for name in names)
    return (vehicles, *others)


def test_totals_are_of_the_sessions_that_began_today(url: str, open_ledger: OpenLedger) -> None:
    ledger, clock = open_ledger(url), Clock()
    began = NOON if ledger.is_lost_with_this_process else NOON.replace(hour=0)
    write(ledger, began - timedelta(seconds=1))
    for state in (State.CHARGED, State.CHARGED, State.STOPPED, State.REFUSED, None):
        write(ledger, began + timedelta(seconds=1), state)
    write(ledger, began + timedelta(seconds=2), owner="alice")
    totals = Totals(ledger, clock=clock, now=clock.now)

    assert counts(totals) == (6, 1, 3, 1, 1, 24.0)
    assert counts(totals, "alice") == (1, 0, 1, 0, 0, 6.0)
    reported = totals.document(None)
    assert datetime.fromisoformat(reported["since"]) == began.astimezone()
    assert reported["complete"]


def test_totals_are_kept_for_a_while_and_begin_anew_with_the_day(
    url: str, open_ledger: OpenLedger
) -> None:
    ledger, clock = open_ledger(url), Clock()
    totals = Totals(ledger, clock=clock, now=clock.now)
    assert counts(totals)[0] == 0
    write(ledger, NOON + timedelta(seconds=1))

    clock.passed_s = 4.0
    assert counts(totals)[0] == 0
    assert totals.document(None)["age_s"] == 4.0
    clock.passed_s = 6.0
    assert counts(totals)[0] == 1
    clock.passed_s = 12 * 3600.0
    assert counts(totals)[0] == 0


def test_all_that_are_open_are_listed_whether_they_wait_or_charge(
    url: str, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger(url)
    running = [write(ledger, NOON + timedelta(seconds=2 * number), None) for number in range(3)]
    for number, state in enumerate((State.CHARGED, State.STOPPED, State.REFUSED)):
        write(ledger, NOON + timedelta(seconds=2 * number + 1), state)

    first = ledger.page(read_query({"state": "open", "limit": "2"}, owner=None))
    assert first.next is not None
    query = {"state": "open", "limit": "2", "cursor": first.next}
    second = ledger.page(read_query(query, owner=None))

    listed = [record.session_id for record in (*first.records, *second.records)]
    assert listed == running[::-1]
    assert second.next is None
