"""How a service takes signals, over real processes."""

import os
import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from local_stack.grid import Ports
from local_stack.process import service
from tests.conftest import StartService
from tests.support.deadline import eventually


@pytest.mark.parametrize("later_s", [0, 0.05, 0.1], ids="{} s after it listens".format)
def test_a_service_that_is_reported_to_stop_while_it_starts_does_so(
    tmp_path: Path, later_s: float
) -> None:
    port, log = Ports.free(0).gateway, tmp_path / "log"
    process = service("substation", "substation_service", env={}, port=port, log=log)
    process.start()

    def listens() -> str | None:
        with closing(socket.socket()) as caller:
            return "nobody listens" if caller.connect_ex(("127.0.0.1", port)) else None

    try:
        while listens():  # as often as can be: its worker is forked right after
            assert process.running, process.log_tail()
        time.sleep(later_s)
        assert process.stop(timeout_s=20) == 0
    finally:
        process.kill()
    assert "Traceback" not in log.read_text()


def test_ctrl_c_ends_a_service_at_once_and_needs_no_traceback(start_service: StartService) -> None:
    substation = start_service("substation_service")
    with requests.Session() as caller:
        caller.get(f"{substation.url}/healthz", timeout=5)

        os.killpg(substation.pid, signal.SIGINT)  # a terminal tells the worker too

        def is_over() -> None:
            assert not substation.running

        eventually(is_over, within_s=20)
    assert substation.stop() == 0
    assert "Traceback" not in substation.log_file.read_text()
