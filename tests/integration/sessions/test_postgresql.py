"""The PostgreSQL server that tests and the kill run start: it dies whole, and starts again."""

from contextlib import ExitStack

import psycopg
import pytest

from tests.integration.sessions.conftest import a_server


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
