"""What becomes of the ledger, and of those who wait for it, when its database fails."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gevent
import psycopg
import pytest

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable, LedgerUnusable
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.listing import Query, read_page
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.record import State
from charge_request_service.sessions.store import Store
from local_stack.postgresql import PostgreSQL
from local_stack.small_disk import CannotMount, fill_up, small_disk
from tests.integration.sessions.conftest import OpenLedger, a_server
from tests.support.commands import run, run_module
from tests.support.session_rows import a_begin, an_end


def fill(ledger: Ledger, count: int = 50) -> list[Any]:
    begins = [a_begin(ledger) for _ in range(count)]
    gevent.joinall([gevent.spawn(ledger.begin, one) for one in begins], raise_error=True)
    return begins


def fault_of(url: str) -> str:
    with pytest.raises(LedgerUnusable) as raised:
        prepare(read_ledger_url(url))
    return str(raised.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def filled(open_ledger: OpenLedger, file: Path) -> Path:
    ledger = open_ledger(f"sqlite:///{file}")
    fill(ledger, 500)
    ledger.close()
    return file


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ledger.sqlite", "not the URL"),
        ("mysql://host/ledger", "mysql is not supported for the ledger"),
        ("sqlite://folder/file", "three slashes"),
        ("sqlite:///file?mode=ro", "nothing after the path"),
        ("postgresql://host", "names no database"),
    ],
)
def test_a_wrong_url_is_named(url: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as raised:
        read_ledger_url(url)
    assert "sqlite:////folder/file" in str(raised.value)


def test_a_file_that_is_none_of_sqlite_stops_the_start(file: Path) -> None:
    file.write_bytes(b"This is not a ledger. " * 1000)

    fault = fault_of(f"sqlite:///{file}")

    assert "is damaged" in fault
    assert "backup" in fault
    assert str(file) in fault


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.95])
def test_a_file_that_is_damaged_in_the_middle_stops_the_start(filled: Path, where: float) -> None:
    size = filled.stat().st_size
    with filled.open("r+b") as damaged:
        damaged.seek(int(size * where) // 4096 * 4096)
        damaged.write(os.urandom(4096))

    fault = fault_of(f"sqlite:///{filled}")

    assert "is damaged" in fault


def test_a_ledger_of_a_newer_version_stops_the_start(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    assert "newer version" in fault_of(f"sqlite:///{filled}")


def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    fault = fault_of(f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}")

    assert f"there is no folder {tmp_path / 'none'}: create it" in fault


def test_a_folder_that_cannot_be_written_to_stops_the_start() -> None:
    if os.getuid():
        pytest.skip("only root can try it as another user")
    with TemporaryDirectory(dir="/tmp") as folder:  # pytest's own are closed to others
        Path(folder).chmod(0o755)
        url = f"sqlite:///{folder}/ledger.sqlite"
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.setuid(65534)
            try:
                os.write(write, fault_of(url).encode())
            finally:
                os._exit(0)
        os.close(write)
        with open(read, encoding="utf-8") as reported:
            fault = reported.read()
        os.waitpid(child, 0)

    assert f"{folder} cannot be written to by user 65534" in fault


def test_a_second_gateway_is_kept_off_the_file(open_ledger: OpenLedger, file: Path) -> None:
    first = open_ledger(f"sqlite:///{file}")
    fill(first, 1)

    fault = fault_of(f"sqlite:///{file}")

    assert "another gateway has this file" in fault
    assert "PostgreSQL" in fault
    assert len(fill(first, 1)) == 1


def test_the_gateway_says_so_and_does_not_start(file: Path) -> None:
    file.write_bytes(b"no ledger" * 1000)

    ended = run_module(
        "charge_request_service", env={"LEDGER_URL": f"sqlite:///{file}", "PORT": "0"}
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("charge_request_service: setting LEDGER_URL: sqlite:///")
    assert "is damaged" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_server_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    fault = fault_of(f"postgresql://me:secret@/ledger?host={tmp_path}")

    assert "cannot be used" in fault
    assert "check that the server runs" in fault
    assert "secret" not in fault


def check_comes_back(
    ledger: Ledger,
    begins: list[Any],
    *,
    break_it: Callable[[], object],
    mend_it: Callable[[], object],
) -> None:
    """Break the database under load: nothing new begins, and no end is lost."""
    break_it()
    try:
        ending = [gevent.spawn(ledger.end, an_end(begin), patience_s=60) for begin in begins]
        began = time.monotonic()
        refused = 0
        while time.monotonic() - began < 3:
            try:
                ledger.begin(a_begin(ledger, vehicle_id="EV-late", key=f"late{refused}"))
            except LedgerUnavailable:
                refused += 1
            gevent.sleep(0.1)
        assert refused > 1
        assert ledger.unavailable_reason()
    finally:
        mend_it()
    gevent.joinall(ending, timeout=30, raise_error=True)

    assert all(one.value for one in ending)
    assert ledger.unavailable_reason() is None
    for begin in begins:
        record = ledger.get(begin.session_id)
        assert record is not None
        assert record.end.state == State.CHARGED
    assert ledger.page(Query(vehicle_id="EV-late")).records == []
    assert ledger.begin(a_begin(ledger, key="late0")) is None


def test_a_file_that_is_locked_loses_nothing(open_ledger: OpenLedger, file: Path) -> None:
    ledger = open_ledger(f"sqlite:///{file}", patience_s=2.0)
    begins = fill(ledger)
    other = sqlite3.connect(file, isolation_level=None)

    check_comes_back(
        ledger,
        begins,
        break_it=lambda: other.execute("BEGIN IMMEDIATE"),
        mend_it=lambda: other.execute("ROLLBACK"),
    )
    other.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Make a disk of a megabyte, as root may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with ExitStack() as mounted:
        try:
            mounted.enter_context(small_disk(folder, 1))
        except CannotMount as error:
            pytest.skip(str(error))
        yield folder


def test_a_full_disk_loses_nothing(open_ledger: OpenLedger, disk: Path) -> None:
    ledger = open_ledger(f"sqlite:///{disk / 'ledger.sqlite'}", patience_s=2.0)
    begins = fill(ledger)
    filler = disk / "filler"

    def use_up() -> None:
        fill_up(filler)
        # What is left in the files of the ledger itself is used up by its rows.
        for _ in range(2_000):
            try:
                ledger.begin(a_begin(ledger))
            except LedgerUnavailable:
                return

    check_comes_back(ledger, begins, break_it=use_up, mend_it=filler.unlink)


@pytest.fixture
def own_server() -> Iterator[PostgreSQL]:
    with a_server() as server:
        yield server


@pytest.mark.parametrize("how", ["stopped", "killed", "frozen"])
def test_a_server_that_is_away_loses_nothing(
    open_ledger: OpenLedger, own_server: PostgreSQL, how: str
) -> None:
    ledger = open_ledger(own_server.new_database(), patience_s=1.0)
    begins = fill(ledger)
    break_it, mend_it = {
        "stopped": (own_server.stop, own_server.start),
        "killed": (own_server.kill, own_server.start),
        "frozen": (own_server.freeze, own_server.thaw),
    }[how]

    check_comes_back(ledger, begins, break_it=break_it, mend_it=mend_it)


def test_a_beginning_whose_commit_broke_off_never_was_though_the_server_has_made_it(
    open_ledger: OpenLedger, own_server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(own_server.new_database())
    fill(ledger, 1)
    begin = a_begin(ledger, key="k")
    commit = psycopg.Connection.commit

    def commit_and_break_off(connection: psycopg.Connection[Any]) -> None:
        # The cleanup of the ledger commits, too, sooner or later.
        query = "SELECT 1 FROM sessions WHERE session_id = %s"
        is_of_the_beginning = connection.execute(query, [begin.session_id]).fetchone()
        commit(connection)
        if is_of_the_beginning:
            monkeypatch.undo()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit_and_break_off)
    with pytest.raises(LedgerUnavailable, match="closed the connection"):
        ledger.begin(begin)

    while ledger.unavailable_reason():
        gevent.sleep(0.05)
    fill(ledger, 1)
    assert ledger.get(begin.session_id) is None
    assert ledger.begin(a_begin(ledger, key="k")) is None


def test_a_beginning_that_nobody_waits_for_any_more_never_was(
    open_ledger: OpenLedger, file: Path
) -> None:
    ledger = open_ledger(f"sqlite:///{file}")
    begins = [a_begin(ledger, key=f"k{number}") for number in range(40)]

    beginning = [gevent.spawn(ledger.begin, one) for one in begins]
    gevent.sleep(0)  # they wait
    gevent.killall(beginning)
    fill(ledger, 1)  # comes behind whatever they left

    assert [ledger.get(one.session_id) for one in begins] == [None] * 40
    assert [ledger.begin(one) for one in begins] == [None] * 40


def test_what_was_committed_outlives_a_kill_of_the_process(file: Path) -> None:
    program = (
        "import os, sys, gevent;"
        "from structlog import get_logger;"
        "from prometheus_client import CollectorRegistry;"
        "from charge_request_service.sessions.ledger_url import read_ledger_url;"
        "from charge_request_service.sessions.preparation import prepare;"
        "from charge_request_service.sessions.ledger import Ledger;"
        "from tests.support.session_rows import a_begin;"
        "url = read_ledger_url(sys.argv[1]); prepare(url);"
        "ledger = Ledger(url, retention_s=1e9, key_retention_s=1e9, log=get_logger(),"
        " registry=CollectorRegistry());"
        "begin = lambda: (one := a_begin(ledger), ledger.begin(one),"
        " os.write(1, (one.session_id + chr(10)).encode()));"
        "gevent.joinall([gevent.spawn(lambda: [begin() for _ in range(10_000)])"
        " for _ in range(16)])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, f"sqlite:///{file}"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    said = [process.stdout.readline().decode().strip() for _ in range(300)]
    process.kill()
    said += process.stdout.read().decode().split("\n")[:-1]
    process.wait()

    prepare(read_ledger_url(f"sqlite:///{file}"))
    database = Database(read_ledger_url(f"sqlite:///{file}"))
    store = Store(database.dialect)
    with database.reader() as connection:
        for session_id in said:
            assert store.get(connection, session_id) is not None, session_id
    database.close()


_FIRST_READINGS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from structlog import get_logger
from prometheus_client import CollectorRegistry
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.ledger import Ledger
url = read_ledger_url(sys.argv[1]); prepare(url)
for _ in range(10):
    ledger = Ledger(url, retention_s=1e9, key_retention_s=1e9, log=get_logger(),
                    registry=CollectorRegistry(), patience_s=3)
    gevent.joinall([gevent.spawn(ledger.get, "a") for _ in range(4)], raise_error=True)
    ledger.close()
print("all were answered")
"""


def test_the_first_readings_may_come_at_once(new_url: Callable[[], str]) -> None:
    ended = run(sys.executable, "-c", _FIRST_READINGS, new_url())

    assert ended.stdout.splitlines()[-1:] == ["all were answered"], ended.stderr


def test_readings_do_not_wait_for_a_locked_file(open_ledger: OpenLedger, file: Path) -> None:
    ledger = open_ledger(f"sqlite:///{file}")
    [begin] = fill(ledger, 1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    began = time.monotonic()
    assert ledger.get(begin.session_id) is not None
    assert time.monotonic() - began < 0.5
    other.execute("ROLLBACK")
    other.close()


def test_a_query_of_any_kind_is_answered_by_an_index(open_ledger: OpenLedger, file: Path) -> None:
    ledger = open_ledger(f"sqlite:///{file}")
    fill(ledger, 50)
    plans: list[str] = []
    connection = ledger._database.reader()

    def explained(statement: str, parameters: Any) -> None:
        plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(f"{row[3]}  <- {statement}" for row in plan.fetchall())

    from sqlalchemy import event

    @event.listens_for(connection, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        explained(statement, parameters)

    store = ledger._store
    for state in (*State, None):
        for vehicle in ("EV-1", None):
            for owner in ("alice", "", None):
                for ended in (False, True):
                    read_page(connection, Query(10, "a", owner, state, vehicle, 1, 2**40, ended))
                    read_page(connection, Query(10, None, owner, state, vehicle, ended=ended))
    store.get(connection, "a")
    store.by_key(connection, "alice", "k")
    store.open_of(connection, "g", "a", 10)
    store.oldest_open_us(connection)
    store.other_gateways(connection, "g")
    connection.close()

    assert len(plans) > 100
    for plan in plans:
        # What is scanned is an index, in its order, to a limit, or the thousand rows of a page.
        scanned = plan.startswith("SCAN sessions") and "USING INDEX" not in plan
        assert not scanned or "USING COVERING INDEX" in plan or "FROM (SELECT" in plan, plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan or "FROM (SELECT" in plan, plan


def test_two_threads_may_prepare_and_a_third_read(file: Path) -> None:
    url = read_ledger_url(f"sqlite:///{file}")
    prepare(url)
    shutil.copy(file, file.with_suffix(".copy"))
    reading = Database(url)
    with reading.reader() as connection:
        done = threading.Thread(target=prepare, args=(url,))
        done.start()
        done.join(10)
        assert not done.is_alive()
        assert read_page(connection, Query()).records == []
    reading.close()
