"""The ledger against a model of it: any calls, in any order."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    multiple,
    rule,
    run_state_machine_as_test,
)
from prometheus_client import CollectorRegistry
from structlog import get_logger

from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.listing import Query
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.record import FINAL, Begin, End, Record, State
from local_stack.postgresql import PostgreSQL
from tests.integration.sessions.conftest import DATABASES
from tests.support.examples import examples
from tests.support.session_rows import a_begin, an_end

RETENTION_S, KEY_RETENTION_S = 1000, 100
START_US = 1_800_000_000_000_000
OWNERS = st.sampled_from(["", "alice", "bob"])
VEHICLES = st.sampled_from(["EV-1", "EV-2"])
FINAL_STATES = st.sampled_from(sorted(FINAL))


@dataclass
class Row:
    """A session as the model has it."""

    begin: Begin
    end: End | None = None
    key: str | None = None
    body: str | None = None

    @property
    def state(self) -> State:
        return self.end.state if self.end else State.WAITING


@dataclass
class Model:
    """What the ledger has to hold."""

    rows: dict[str, Row] = field(default_factory=dict)

    def with_key(self, owner: str, key: str) -> Row | None:
        found = [row for row in self.rows.values() if (row.begin.owner, row.key) == (owner, key)]
        assert len(found) <= 1
        return found[0] if found else None

    def clean_up(self, now_us: int) -> None:
        for session_id, row in list(self.rows.items()):
            if row.end is None or row.end.ended_us is None:
                continue
            if row.end.ended_us < now_us - KEY_RETENTION_S * 1_000_000:
                row.key = row.body = None
            old = now_us - RETENTION_S * 1_000_000
            began_ms = row.begin.began_us // 1000
            if row.end.ended_us < old and began_ms < old // 1000 and row.key is None:
                del self.rows[session_id]


class LedgerStates(RuleBasedStateMachine):
    """Begins, ends, forgets, lists, tidies, and restarts."""

    new_url: Any
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.now_us = START_US
        self.url = read_ledger_url(type(self).new_url())
        self.model = Model()
        self.ledger = self.opened()

    def opened(self) -> Ledger:
        prepare(self.url)
        ledger = Ledger(
            self.url,
            retention_s=RETENTION_S,
            key_retention_s=KEY_RETENTION_S,
            log=get_logger(),
            registry=CollectorRegistry(),
            patience_s=20,
            clock_us=lambda: self.now_us,
        )
        ledger.cleanup.stop()  # the model has to know when it happens
        return ledger

    def teardown(self) -> None:
        try:
            self.every_session_is_as_it_was_reported()
        finally:
            self.ledger.close()

    @rule(
        target=sessions,
        owner=OWNERS,
        vehicle=VEHICLES,
        key=st.none() | st.sampled_from(["k1", "k2"]),
    )
    def begin(self, owner: str, vehicle: str, key: str | None) -> Any:
        self.now_us += 1000
        begin = a_begin(self.ledger, began_us=self.now_us, owner=owner, vehicle_id=vehicle, key=key)
        there = self.ledger.begin(begin)
        known = self.model.with_key(owner, key) if key else None
        if known is not None:
            assert there is not None
            assert there.session_id == known.begin.session_id
            return multiple()
        assert there is None
        self.model.rows[begin.session_id] = Row(begin, key=key)
        return begin

    @rule(begin=sessions, state=FINAL_STATES, body=st.none() | st.text("aé\"\\'\n%😀", max_size=9))
    def end(self, begin: Begin, state: State, body: str | None) -> None:
        self.now_us += 1000
        end = an_end(begin, state, body=body, ended_us=self.now_us)
        assert self.ledger.end(end)
        row = self.model.rows.get(begin.session_id)
        if row and row.end is None:
            row.end, row.body = end, body

    @rule(begin=sessions)
    def forget(self, begin: Begin) -> None:
        self.ledger.forget(begin.session_id)
        row = self.model.rows.get(begin.session_id)
        if row and row.end is None:
            del self.model.rows[begin.session_id]

    @rule(seconds=st.sampled_from([1, 50, 101, 1001]))
    def time_goes_by(self, seconds: int) -> None:
        self.now_us += seconds * 1_000_000

    @rule()
    def clean_up(self) -> None:
        self.flush()
        self.ledger.cleanup.run_once()
        self.model.clean_up(self.now_us)

    @rule()
    def restart(self) -> None:
        if self.url.database not in (None, ""):
            self.ledger.close()
            self.ledger = self.opened()

    @rule(
        state=st.none() | st.sampled_from(State),
        vehicle=st.none() | VEHICLES,
        owner=st.none() | OWNERS,
        limit=st.integers(1, 4),
    )
    def list(self, state: State | None, vehicle: str | None, owner: str | None, limit: int) -> None:
        self.flush()
        wanted = State.WAITING if state is State.CHARGING else state
        expected = [
            session_id
            for session_id, row in sorted(self.model.rows.items(), reverse=True)
            if wanted in (None, row.state)
            and vehicle in (None, row.begin.vehicle_id)
            and owner in (None, row.begin.owner)
        ]
        found: list[str] = []
        after = None
        while True:
            page = self.ledger.page(Query(limit, after, owner, state, vehicle))
            found += [record.session_id for record in page.records]
            after = page.next
            if after is None:
                break
            assert len(page.records) == limit
        assert found == expected

    @rule()
    def every_session_is_as_it_was_reported(self) -> None:
        self.flush()
        for session_id, row in self.model.rows.items():
            record = self.ledger.get(session_id)
            assert isinstance(record, Record)
            assert record.end.state == row.state
            assert (record.begin.key, record.end.body) == (row.key, row.body)
            if row.key is not None:
                assert self.ledger.by_key(record.begin.owner, row.key) == record

    def flush(self) -> None:
        """Have all that was submitted before written: rows are written in their order."""
        nobody = an_end(a_begin(self.ledger, began_us=0))
        assert self.ledger.end(nobody)


@pytest.mark.parametrize("database", DATABASES)
def test_any_calls_in_any_order_leave_what_they_should(
    database: str, request: pytest.FixtureRequest
) -> None:
    with TemporaryDirectory() as folder:
        made = 0

        def new_url() -> str:
            nonlocal made
            made += 1
            if database == "sqlite":
                return f"sqlite:///{Path(folder) / f'{made}.sqlite'}"
            if database == "memory":
                return "sqlite://"
            server: PostgreSQL = request.getfixturevalue("postgresql")
            return server.new_database()

        class OnThisDatabase(LedgerStates):
            pass

        OnThisDatabase.new_url = staticmethod(new_url)
        run_state_machine_as_test(OnThisDatabase, settings=examples(12, steps=30))
