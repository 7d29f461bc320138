"""Every container is restarted, one at a time, while vehicles charge: none is lost."""

import json
import subprocess
import threading
from typing import Any

from tests.deadline import eventually
from tests.e2e.compose.stack import SITES, Stack

_RATE = 6
# Longer than the restarts take together: each drains, which takes a charge's length.
_LOAD_S = 50


class Load:
    """The load tester at work inside the grid."""

    def __init__(self, stack: Stack) -> None:
        stack.compose("--profile", "load", "build", "load_tester")
        self._stack = stack
        self._done: subprocess.CompletedProcess[str] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def report(self) -> dict[str, Any]:
        """Wait for the end; return what became of the vehicles."""
        self._thread.join()
        assert self._done, "the load tester did not end"
        assert self._done.stdout, f"no report: {self._done.stderr}"
        document: dict[str, Any] = json.loads(self._done.stdout)
        return document

    def _run(self) -> None:
        self._done = self._stack.compose(
            *("--profile", "load", "run", "--rm", "--no-deps", "-T", "load_tester"),
            *("--rate", str(_RATE), "--duration", str(_LOAD_S), "--kwh", "5"),
            *("--patience", "30", "--json", "-"),
            check=False,
        )


def test_a_restart_of_every_container_under_load_loses_no_vehicle(stack: Stack) -> None:
    before = stack.get("/decisions")["last"]
    load = Load(stack)

    def charges() -> None:
        assert stack.get(f"/decisions?since={before}")["decisions"], "no vehicle came yet"

    try:
        eventually(charges, 20)
        for service in (*SITES, "load_balancer", "charge_request_service", "prometheus"):
            stack.compose("restart", "--no-deps", service)
            stack.compose("up", "-d", "--no-recreate", "--wait", service)
            assert load.runs, f"the load was over before {service} was back"
    finally:
        report = load.report()
    assert report["verdict"] == f"{_RATE * _LOAD_S} of {_RATE * _LOAD_S} vehicles charged", report
