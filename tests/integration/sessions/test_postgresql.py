"""A PostgreSQL server dies whole and starts again, and a gateway that starts waits for it."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from local_stack.grid import Ports
from local_stack.process import service
from tests.integration.sessions.conftest import a_server
from tests.support.deadline import eventually


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
        ended = subprocess.run(
            [sys.executable, "-m", "charge_request_service"],
            env={**os.environ, "LEDGER_URL": server.new_database().replace("/ledger1", "/none")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert ended.returncode == 2
        assert 'database "none" does not exist' in ended.stderr
        assert "trying again" not in ended.stderr
