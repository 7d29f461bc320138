"""Ledgers on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog import get_logger

from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from local_stack.postgresql import PostgreSQL, find_programs

DATABASES = ("sqlite", "postgresql", "memory")
NewUrl = Callable[[], str]
OpenLedger = Callable[..., Ledger]


@contextmanager
def a_server() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server; skip the test where there is none to run."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    server = PostgreSQL(programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with a_server() as server:
        yield server


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Make an empty ledger and return its URL."""
    made = 0

    def new() -> str:
        nonlocal made
        made += 1
        if request.param == "memory":
            return "sqlite://"
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / f'ledger{made}.sqlite'}"
        server: PostgreSQL = request.getfixturevalue("postgresql")
        return server.new_database()

    return new


@pytest.fixture
def url(new_url: NewUrl) -> str:
    return new_url()


@pytest.fixture
def open_ledger() -> Iterator[OpenLedger]:
    """Open a ledger: `open_ledger(url, retention_s=60)`."""
    opened: list[Ledger] = []

    def open_it(url: str, **options: Any) -> Ledger:
        where = read_ledger_url(url)
        prepare(where)
        options = {"retention_s": 1e9, "key_retention_s": 1e9, "patience_s": 20.0, **options}
        options = {"registry": CollectorRegistry(), **options}
        ledger = Ledger(where, log=get_logger(), **options)
        opened.append(ledger)
        return ledger

    yield open_it
    for ledger in opened:
        ledger.close()
