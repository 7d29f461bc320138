"""A shell with a proxy: it is not used for addresses on this machine, or for the next hop."""

import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from local_stack.prometheus import find_program
from tests.e2e.local.conftest import StartProgram
from tests.e2e.local.program import Program
from tests.support.commands import run_module
from tests.support.deadline import eventually

_NAMES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Proxy:
    """A proxy that disconnects everybody, and knows what they asked it for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.environment = dict.fromkeys(
            _NAMES, f"http://127.0.0.1:{self._door.getsockname()[1]}"
        ) | {"no_proxy": "", "NO_PROXY": ""}
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._door.accept()
            except OSError:  # closed
                return
            with caller:
                caller.settimeout(2)
                self.asked.append(caller.recv(1000))

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def test_no_part_asks_the_proxy_of_the_environment(
    start_program: StartProgram, proxy: Proxy
) -> None:
    has_prometheus = find_program() is not None
    program: Program = start_program(
        points="4,8", prometheus=has_prometheus, env=proxy.environment
    ).is_up()

    load = run_module(
        "load_tester",
        "--url",
        program.url,
        "--vehicles",
        "20",
        "--rate",
        "20",
        env=proxy.environment,
    )
    assert "20 of 20 vehicles charged" in load.stdout, load.stderr
    for port in (program.ports.gateway, program.ports.balancer, *program.ports.substations):
        check = run_module(
            "grid_common.healthcheck", f"http://127.0.0.1:{port}/readyz", env=proxy.environment
        )
        assert (check.returncode, check.stdout) == (0, "")
    started = requests.post(
        f"{program.url}/rush-hour", json={"vehicles": 5, "kwh": 5, "over_s": 1}, timeout=5
    )
    assert started.status_code == 202

    def has_charged() -> None:
        progress = requests.get(f"{program.url}/rush-hour", timeout=5).json()
        assert progress["charged"] == 5, progress

    eventually(has_charged, 20)
    if has_prometheus:

        def are_scraped() -> None:
            targets = requests.get(
                f"http://127.0.0.1:{program.ports.prometheus}/api/v1/targets", timeout=5
            ).json()["data"]["activeTargets"]
            health = {target["scrapeUrl"]: target["health"] for target in targets}
            assert len(health) >= 4, health
            assert set(health.values()) == {"up"}, health

        eventually(are_scraped, 30)
    assert proxy.asked == []
    # The lines that it prints are to work in that shell.
    assert "curl --noproxy '*' -X POST" in program.said()


def test_the_tests_do_not_ask_the_proxy_of_the_environment(
    start_program: StartProgram, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _NAMES:
        monkeypatch.setenv(name, proxy.environment[name])
    program = start_program().is_up()

    assert requests.post(f"{program.url}/charge", timeout=10).status_code == 200
    assert proxy.asked == []
