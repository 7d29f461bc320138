"""The ledger's interface, on SQLite and on PostgreSQL alike."""

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.listing import Query
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.record import End, Kind, Record, State
from charge_request_service.sessions.tables import sessions
from tests.integration.sessions.conftest import NewUrl, OpenLedger
from tests.support.session_rows import a_begin, an_end

Rows = Callable[[], float | None]
DAY_US = 86_400_000_000


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def ledger(open_ledger: OpenLedger, url: str, registry: CollectorRegistry) -> Ledger:
    return open_ledger(url, registry=registry)


@pytest.fixture
def rows(registry: CollectorRegistry) -> Rows:
    """Tell how many rows were written."""
    return lambda: registry.get_sample_value("ledger_commit_rows_sum")


def ids(ledger: Ledger, **query: Any) -> list[str]:
    """List all pages."""
    found: list[str] = []
    after = None
    while True:
        page = ledger.page(Query(**query, after=after))
        found += [record.session_id for record in page.records]
        if page.next is None:
            return found
        after = page.next


def test_a_session_is_found_as_it_was_begun_and_ended(ledger: Ledger) -> None:
    begin = a_begin(
        ledger, max_power_kw=150.5, battery_kwh=60.0, soc=0.25, owner="alice", key="k", digest="d"
    )
    assert ledger.begin(begin) is None

    running = ledger.get(begin.session_id)
    assert running == Record(begin, End(begin.session_id, State.WAITING, None))
    assert not running.ended

    end = an_end(begin, body='{"a": "é"}', content_type="application/json", legs="[]")
    assert ledger.end(end)
    ended = ledger.get(begin.session_id)
    assert ended == Record(begin, end)
    assert ended.ended
    assert ended.begin.session().battery_kwh == 60.0


def test_a_session_that_nobody_began_is_not_found(ledger: Ledger) -> None:
    assert ledger.get("nobody") is None
    assert ledger.by_key("", "nobody") is None


def test_a_key_has_one_session_and_the_second_is_reported_of_it(ledger: Ledger) -> None:
    first = a_begin(ledger, owner="alice", key="k", digest="d")
    assert ledger.begin(first) is None

    there = ledger.begin(a_begin(ledger, owner="alice", key="k", digest="other"))

    assert there is not None
    assert (there.session_id, there.begin.digest) == (first.session_id, "d")
    assert ledger.begin(a_begin(ledger, owner="bob", key="k")) is None
    assert ledger.begin(a_begin(ledger, owner="", key="k")) is None
    assert ledger.begin(a_begin(ledger, owner="", key="k")) is not None
    assert len(ids(ledger)) == 3


def test_of_many_at_once_with_one_key_one_begins(ledger: Ledger) -> None:
    begins = [a_begin(ledger, key=f"k{number % 20}") for number in range(100)]

    reported = [gevent.spawn(ledger.begin, begin) for begin in begins]
    gevent.joinall(reported)

    began = [begin for begin, one in zip(begins, reported, strict=True) if one.get() is None]
    assert sorted(begin.key or "" for begin in began) == sorted(f"k{n}" for n in range(20))
    by_key = {begin.key: begin.session_id for begin in began}
    for begin, one in zip(begins, reported, strict=True):
        there = one.get()
        assert there is None or there.session_id == by_key[begin.key]


def test_a_session_that_is_over_at_once_is_written_once(ledger: Ledger, rows: Rows) -> None:
    begins = [a_begin(ledger, vehicle_id=f"EV-{number}") for number in range(50)]
    for begin in begins:
        ledger.note_begin(begin)
    gevent.sleep(0)
    ends = [an_end(begin, legs="[]") for begin in begins]
    for end in ends[1:]:
        ledger.note_end(end)
    ledger.end(ends[0])  # is written behind the others

    for begin, end in zip(begins, ends, strict=True):
        assert ledger.get(begin.session_id) == Record(begin, end)
    assert rows() == len(begins)


def test_a_session_that_goes_on_is_soon_written(ledger: Ledger, rows: Rows) -> None:
    begin = a_begin(ledger)
    ledger.note_begin(begin)
    with gevent.Timeout(10):
        while (record := ledger.get(begin.session_id)) is None:
            gevent.sleep(0.01)
    assert not record.ended

    ledger.end(an_end(begin))

    assert ledger.get(begin.session_id) == Record(begin, an_end(begin))
    assert rows() == 2


@pytest.mark.parametrize(
    "value", ["NULL", "", '{"a": "b, {c}"}', '\\x \\\\ \\"', "é\n\t '%s' ; --", " , "]
)
def test_any_text_is_kept_as_it_is(ledger: Ledger, value: str) -> None:
    begin = a_begin(ledger, key="k", digest=value, vehicle_id=value)
    others = [a_begin(ledger, key=f"{number}") for number in range(3)]
    gevent.joinall([gevent.spawn(ledger.begin, one) for one in (others[0], begin, *others[1:])])
    end = an_end(begin, body=value, reason=None, energy_kwh=1 / 3)
    ledger.end(end)
    assert ledger.get(begin.session_id) == Record(begin, end)


def test_the_first_end_counts(ledger: Ledger) -> None:
    begin = a_begin(ledger)
    ledger.begin(begin)

    ledger.end(an_end(begin, State.STOPPED, reason="stopped by its caller"))
    ledger.end(an_end(begin, State.CHARGED))

    record = ledger.get(begin.session_id)
    assert record is not None
    assert (record.end.state, record.end.reason) == ("stopped", "stopped by its caller")


def test_what_is_forgotten_never_was_and_its_key_is_free(ledger: Ledger) -> None:
    begin, ended = a_begin(ledger, key="k"), a_begin(ledger, key="l")
    for one in (begin, ended):
        ledger.begin(one)
    ledger.end(an_end(ended))

    ledger.forget(begin.session_id)
    ledger.forget(ended.session_id)  # it was: it stays
    ledger.begin(a_begin(ledger))  # comes behind both

    assert ledger.get(begin.session_id) is None
    assert ledger.get(ended.session_id) is not None
    assert ledger.begin(a_begin(ledger, key="k")) is None


def test_one_row_that_cannot_be_written_keeps_no_other_from_it(ledger: Ledger) -> None:
    there = a_begin(ledger)
    ledger.begin(there)
    others = [a_begin(ledger) for _ in range(5)]

    writing = [gevent.spawn(ledger.begin, one) for one in (others[0], there, *others[1:])]
    gevent.joinall(writing)

    assert [one.successful() for one in writing] == [True, False, *[True] * 4]
    assert {one.session_id for one in others} < set(ids(ledger))


def test_of_an_end_and_a_deletion_in_one_commit_the_first_counts(ledger: Ledger) -> None:
    forgotten, ended = a_begin(ledger), a_begin(ledger)
    for begin in (forgotten, ended):
        assert ledger.begin(begin) is None

    ledger.forget(forgotten.session_id)  # neither waits for a commit, so that both share one
    ledger.note_end(an_end(forgotten))
    ledger.note_end(an_end(ended))
    ledger.forget(ended.session_id)
    ledger.end(an_end(a_begin(ledger)))

    assert ledger.get(forgotten.session_id) is None
    kept = ledger.get(ended.session_id)
    assert kept is not None
    assert kept.end.state == "charged"


def test_the_list_is_newest_first_and_pages_on(ledger: Ledger) -> None:
    begins = [a_begin(ledger) for _ in range(25)]
    gevent.joinall([gevent.spawn(ledger.begin, begin) for begin in begins])

    page = ledger.page(Query(limit=10))

    newest_first = [begin.session_id for begin in reversed(begins)]
    assert [record.session_id for record in page.records] == newest_first[:10]
    assert page.next == newest_first[9]
    assert ids(ledger, limit=10) == newest_first
    assert ledger.page(Query(limit=25)).next is None
    assert ids(ledger, limit=7, since_ms=begins[5].began_us // 1000) == newest_first[:20]
    assert ids(ledger, limit=7, until_ms=begins[5].began_us // 1000) == newest_first[20:]


def test_the_list_is_of_what_was_asked_for(ledger: Ledger) -> None:
    begins = [
        a_begin(ledger, vehicle_id=f"EV-{number % 3}", owner=("", "alice", "bob")[number % 4 % 3])
        for number in range(24)
    ]
    gevent.joinall([gevent.spawn(ledger.begin, begin) for begin in begins])
    states = {}
    for number, begin in enumerate(begins):
        final = (None, State.CHARGED, State.STOPPED, State.REFUSED)[number // 3 % 4]
        states[begin.session_id] = final
        if final:
            ledger.end(an_end(begin, final))

    def expected(**wanted: Any) -> list[str]:
        return [
            begin.session_id
            for begin in reversed(begins)
            if wanted.get("owner", begin.owner) == begin.owner
            and wanted.get("vehicle_id", begin.vehicle_id) == begin.vehicle_id
            and wanted.get("state", states[begin.session_id]) is states[begin.session_id]
            and (not wanted.get("ended") or states[begin.session_id] is not None)
        ]

    for state in (State.CHARGED, State.STOPPED, State.REFUSED, None):
        for vehicle in ("EV-1", None):
            for owner in ("alice", "", None):
                wanted: dict[str, Any] = {"state": state, "vehicle_id": vehicle, "owner": owner}
                given = {name: value for name, value in wanted.items() if value is not None}
                for limit in (1, 4, 100):
                    assert ids(ledger, limit=limit, **given) == expected(**given)
    assert ids(ledger, state=State.CHARGING) == expected(state=None)
    assert ids(ledger, ended=True, limit=3) == expected(ended=True)


def test_a_rare_session_among_thousands_is_found_page_by_page(ledger: Ledger) -> None:
    rare = a_begin(ledger, vehicle_id="EV-2", owner="alice")
    others = [a_begin(ledger, vehicle_id="EV-2", owner="bob") for _ in range(2_500)]
    gevent.joinall([gevent.spawn(ledger.begin, begin) for begin in (rare, *others)])

    first = ledger.page(Query(owner="alice", vehicle_id="EV-2"))

    assert first.records == []  # it looked at so many rows, and no further
    assert first.next is not None
    assert ids(ledger, owner="alice", vehicle_id="EV-2") == [rare.session_id]


def test_keys_and_sessions_go_when_their_time_is_over(open_ledger: OpenLedger, url: str) -> None:
    now = 1_800_000_000_000_000
    ledger = open_ledger(url, retention_s=30 * 86_400, key_retention_s=86_400, clock_us=lambda: now)
    kinds = {
        "long ago": a_begin(ledger, began_us=now - 31 * DAY_US),
        "long ago, with a key": a_begin(ledger, began_us=now - 31 * DAY_US, key="a"),
        "long ago, still open": a_begin(ledger, began_us=now - 31 * DAY_US, key="b"),
        "days ago, with a key": a_begin(ledger, began_us=now - 2 * DAY_US, key="c"),
        "today, with a key": a_begin(ledger, began_us=now - DAY_US // 2, key="d"),
    }
    bulk = [a_begin(ledger, began_us=now - 31 * DAY_US + number) for number in range(500)]
    gevent.joinall([gevent.spawn(ledger.begin, one) for one in (*kinds.values(), *bulk)])
    for what, begin in kinds.items():
        if "open" not in what:
            ledger.end(an_end(begin, body="{}", content_type="application/json"))
    gevent.joinall([gevent.spawn(ledger.end, an_end(one)) for one in bulk])

    ledger.cleanup.run_once()

    left = {record.session_id: record for record in ledger.page(Query(limit=1000)).records}
    assert set(left) == {kinds[what].session_id for what in list(kinds)[2:]}
    days_ago = left[kinds["days ago, with a key"].session_id]
    assert (days_ago.begin.key, days_ago.end.body, days_ago.begin.digest) == (None, None, None)
    assert left[kinds["today, with a key"].session_id].end.body == "{}"
    assert left[kinds["long ago, still open"].session_id].begin.key == "b"


def test_open_sessions_outlive_their_gateway(open_ledger: OpenLedger, new_url: NewUrl) -> None:
    url = new_url()
    if url == "sqlite://":
        pytest.skip("a ledger in memory goes with its gateway")
    first = open_ledger(url)
    begins = [a_begin(first) for _ in range(1_203)]
    gevent.joinall([gevent.spawn(first.begin, begin) for begin in begins])
    first.end(an_end(begins[0]))
    first.close()

    second = open_ledger(url)
    taken_over = second.take_over()
    while not taken_over:  # PostgreSQL: not before it is sure that the first one is gone
        gevent.sleep(0.2)
        taken_over = second.take_over()

    assert taken_over == 1_202
    assert [one.session_id for one in second.open_sessions()] == [
        begin.session_id for begin in begins[1:]
    ]
    assert second.take_over() == 0


def test_a_gateway_that_lives_keeps_its_sessions(open_ledger: OpenLedger, new_url: NewUrl) -> None:
    url = new_url()
    if not url.startswith("postgresql"):
        pytest.skip("one gateway at a time has a file")
    first, second = open_ledger(url), open_ledger(url)
    begin = a_begin(first, key="k")
    first.begin(begin)

    for _ in range(12):
        assert second.take_over() == 0
        gevent.sleep(0.5)

    there = second.begin(a_begin(second, key="k"))
    assert there is not None
    assert there.session_id == begin.session_id


def test_two_gateways_that_start_at_once_make_the_tables_once(new_url: NewUrl) -> None:
    url = read_ledger_url(new_url())
    if url.database in (None, ""):
        pytest.skip("a ledger in memory has one gateway")
    faults: list[Exception] = []

    def start() -> None:
        try:
            prepare(url)
        except Exception as error:
            if "another gateway" not in str(error):  # SQLite's file is one gateway's
                faults.append(error)

    starts = [threading.Thread(target=start) for _ in range(4)]
    for one in starts:
        one.start()
    for one in starts:
        one.join()

    assert faults == []
    prepare(url)
    with Database(url).reader() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    assert len(versions) == 1


def test_the_migrations_make_the_tables_that_the_code_has(new_url: NewUrl) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    url = read_ledger_url(new_url())
    prepare(url)
    database = Database(url)
    with database.reader() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, sessions.metadata) == []
    database.close()


def test_a_plain_session_has_no_kind_that_outlives_its_caller() -> None:
    assert [kind.value for kind in Kind] == ["plain", "keyed", "async"]
