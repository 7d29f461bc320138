"""A PostgreSQL server dies whole and starts again, and a gateway that starts waits for it."""

import re
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.statements import Statements
from charge_request_service.sessions.store import Store
from local_stack.grid import Ports
from local_stack.process import service
from tests.integration.sessions.conftest import a_server
from tests.support.commands import run_module
from tests.support.deadline import eventually
from tests.support.session_rows import a_begin, an_end


def test_a_killed_server_starts_again_at_once_and_has_what_was_committed() -> None:
    with a_server() as server:
        url = server.new_database()
        with psycopg.connect(url) as one:
            one.execute("CREATE TABLE kept (number int)")
        for number in range(5):
            with ExitStack() as stack:
                # Each has a process of its own at the server, which has to go too.
                several = [psycopg.connect(url) for _ in range(8)]
                for one in several:
                    stack.callback(one.close)
                several[0].execute("INSERT INTO kept VALUES (%s)", [number])
                several[0].commit()
                server.kill()
                server.start()
                with pytest.raises(psycopg.OperationalError):
                    several[1].execute("SELECT 1")
        with psycopg.connect(url) as one:
            rows = one.execute("SELECT number FROM kept ORDER BY number").fetchall()
        assert rows == [(number,) for number in range(5)]


def test_a_server_that_does_not_run_is_killed_to_no_effect() -> None:
    with a_server() as server:
        server.kill()
        server.kill()
        server.start()


def test_a_gateway_waits_for_a_server_that_is_not_up_yet(tmp_path: Path) -> None:
    with a_server() as server:
        gateway = service(
            "gateway",
            "charge_request_service",
            env={"LEDGER_URL": server.new_database(), "BALANCER_URL": "http://127.0.0.1:9"},
            port=Ports.free(0).gateway,
            log=tmp_path / "gateway.log",
        )

        def waits() -> None:
            assert "trying again for 30 s" in gateway.log_tail()

        server.kill()
        gateway.start()
        try:
            eventually(waits, within_s=20)
            server.start()
            gateway.wait_until(lambda: gateway.answers("/healthz"), 30)
            assert gateway.log_tail().count("trying again") == 1
        finally:
            gateway.kill()


def test_a_database_that_the_server_does_not_have_ends_the_start_at_once() -> None:
    with a_server() as server:
        url = server.new_database().replace("/ledger1", "/none")
        ended = run_module("charge_request_service", within_s=20, env={"LEDGER_URL": url})
        assert ended.returncode == 2
        assert 'database "none" does not exist' in ended.stderr
        assert "trying again" not in ended.stderr


def test_an_end_is_written_without_going_through_all_that_are_open() -> None:
    """Nor is the plan one that was made when there were few, or for statistics of then."""
    with a_server() as server:
        url = read_ledger_url(server.new_database())
        prepare(url)
        database = Database(url)
        store, statements = Store(database.dialect), Statements(database.dialect)
        begins = [a_begin(key=f"k{one}") for one in range(2_000)]
        with database.writer("gateway") as connection:
            for at in range(0, len(begins), 50):
                with connection.begin():
                    store.write(connection, begins[at : at + 50])
            with connection.begin():
                connection.exec_driver_sql("LOAD 'auto_explain'")
                for name, value in (("log_min_duration", "0"), ("log_analyze", "on")):
                    connection.exec_driver_sql(f"SET auto_explain.{name} = {value}")
            with connection.begin():
                statements.update.execute(connection, [an_end(one) for one in begins[:8]])
        database.close()
        plan = server.log_file.read_text()
    (scan,) = re.findall(r"Scan using \S+ on sessions .*actual time=\S+ rows=(\d+)", plan)
    assert int(scan) == 8
