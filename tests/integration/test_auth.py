"""Who may come in, over real HTTP: a gateway with keys and limits before a whole grid."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid, StartService
from tests.support.api_keys import add_key
from tests.support.commands import run_module
from tests.support.deadline import eventually

# Nothing answers there: what is asked of a gateway alone needs no balancer.
NOWHERE = {"BALANCER_URL": "http://127.0.0.1:9", "MAX_WAIT": 0, "path": "/healthz"}
COUNTERS = ("charge_requests_", "balancer_dispatches_total", "substation_sessions_total")


def charge(url: str, key: str | None = None, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return requests.post(f"{url}/charge", headers=headers, timeout=20, **options)


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "api_keys.txt"


@pytest.fixture(scope="module")
def key(keys_file: Path) -> str:
    return add_key(keys_file, "test")


@pytest.fixture(scope="module")
def grid(start_shared_grid: StartGrid, keys_file: Path, key: str) -> Grid:
    assert key
    keys = {"CHARGE_API_KEYS_FILE": str(keys_file)}
    return start_shared_grid(points=(4, 8), env={"TIME_SCALE": "36000"}, gateway_env=keys)


def counters(grid: Grid) -> list[dict[str, float]]:
    return [
        {name: value for name, value in scrape(one.url).items() if name.startswith(COUNTERS)}
        for one in grid.services
    ]


def test_only_who_holds_a_key_charges_and_others_count_nowhere(grid: Grid, key: str) -> None:
    before = counters(grid)

    for wrong in (None, "wrong", key[:-1], f"{key}x"):
        answer = charge(grid.url, wrong, json={"kwh": 5})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.headers["Content-Type"] == "application/problem+json"
    for path in ("/substations", "/history", "/decisions", "/rush-hour"):
        assert requests.get(f"{grid.url}{path}", timeout=5).status_code == 401
    rush = requests.post(f"{grid.url}/rush-hour", json={"vehicles": 5}, timeout=5)
    assert rush.status_code == 401

    assert counters(grid) == before
    assert charge(grid.url, key, json={"kwh": 5}).json()["kwh"] == 5
    assert counters(grid) != before


def test_health_metrics_the_page_and_the_description_are_open(grid: Grid) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/", "/control-room/main.js", "/openapi.json"):
        assert requests.get(f"{grid.url}{path}", timeout=5).status_code == 200


def test_the_log_names_the_holder_and_never_the_key(grid: Grid, key: str) -> None:
    wrong = "evgrid_wrong"
    charge(grid.url, wrong)
    reported = {"Authorization": f"Bearer {key}", "X-Request-ID": "by-name"}
    requests.post(f"{grid.url}/charge", headers=reported, timeout=10)

    logged = grid.gateway.log_file.read_text()

    (answered,) = [json.loads(line) for line in logged.splitlines() if "by-name" in line]
    assert answered["caller"] == "test"
    assert '"event":"unauthorized"' in logged
    assert key not in logged
    assert wrong not in logged


def test_a_body_that_is_not_let_in_does_not_spoil_the_connection(grid: Grid, key: str) -> None:
    with requests.Session() as session:
        large = session.post(f"{grid.url}/charge", data=b"x" * 60_000, timeout=10)
        assert large.status_code == 401
        headers = {"Authorization": f"Bearer {key}"}
        again = session.post(f"{grid.url}/charge", json={"kwh": 1}, headers=headers, timeout=10)

    assert again.status_code == 200


def test_keys_come_and_go_without_a_restart_and_a_broken_file_changes_nothing(
    grid: Grid, key: str, keys_file: Path
) -> None:
    lines = keys_file.read_text()
    try:
        guest = add_key(keys_file, "guest")

        def guest_is_let_in() -> None:
            assert charge(grid.url, guest).status_code == 200

        eventually(guest_is_let_in, within_s=3)
        assert charge(grid.url, key).status_code == 200

        keys_file.write_text("not a line of this kind\n")

        def said() -> None:
            charge(grid.url, guest)
            assert "API keys not reloaded" in grid.gateway.log_file.read_text()

        eventually(said, within_s=3)
        assert charge(grid.url, guest).status_code == 200
        assert "not a line of this kind" not in grid.gateway.log_file.read_text()
    finally:
        keys_file.write_text(lines)

    def guest_is_out() -> None:
        assert charge(grid.url, guest).status_code == 401

    eventually(guest_is_out, within_s=3)
    assert charge(grid.url, key).status_code == 200


def test_the_load_tester_sends_the_key_from_its_file_and_its_books_agree(
    grid: Grid, key: str, tmp_path: Path
) -> None:
    key_file, report = tmp_path / "key", tmp_path / "report.json"
    key_file.write_text(f"{key}\n")

    def run(*arguments: str) -> int:
        command = [sys.executable, "-m", "load_tester", "--url", grid.url, "--vehicles", "20"]
        command += ["--rate", "40", "--kwh", "5", "--json", str(report), *arguments]
        return subprocess.run(command, timeout=60, check=False, stdout=sys.stderr).returncode

    assert run("--api-key-file", str(key_file)) == 0
    written = json.loads(report.read_text())
    assert written["answers"] == {"200": 20}
    assert written["choices"]["decisions"] == 20
    assert {one["verdict"] for one in written["books"]["findings"]} == {"ok"}
    assert key not in report.read_text()

    assert run() == 1
    assert json.loads(report.read_text())["answers"] == {"401": 20}
    assert run("--api-key-file", str(tmp_path / "none")) == 2


def test_with_an_explicit_setting_it_is_open_beyond_loopback_within_a_rate(
    start_service: StartService,
) -> None:
    gateway = start_service(
        "charge_request_service",
        BIND_HOST="0.0.0.0",  # noqa: S104 - what is tested
        OPEN_TO_ALL="yes-anyone-may-charge",
        RATE_LIMIT="20/minute burst 2",  # one more every 3 s: slower than a busy machine
        **NOWHERE,
    )
    url = gateway.url

    statuses = [charge(url).status_code for _ in range(2)]
    limited = charge(url)

    assert statuses == [503, 503]
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["Retry-After"]) <= 3
    assert limited.headers["Content-Type"] == "application/problem+json"
    samples = scrape(url)  # counted apart
    assert 429 in {requests.get(f"{url}/metrics", timeout=5).status_code for _ in range(20)}
    assert requests.get(f"{url}/healthz", timeout=5).status_code == 200  # never limited
    assert samples['charge_requests_total{status="503"}'] == 2
    assert 'charge_requests_total{status="429"}' not in samples  # no vehicle

    def is_let_in() -> None:
        assert charge(url).status_code == 503

    eventually(is_let_in, within_s=5)


def test_a_name_that_was_rebound_gets_nothing(start_service: StartService) -> None:
    gateway = start_service("charge_request_service", **NOWHERE)

    for path in ("/", "/metrics", "/substations", "/rush-hour"):
        host = {"Host": f"elsewhere.example:{gateway.port}"}
        answer = requests.get(f"{gateway.url}{path}", headers=host, timeout=5)
        assert answer.status_code == 421
        assert "ALLOWED_HOSTS" in answer.json()["detail"]
    by_service_name = {"Host": "charge_request_service:8080"}
    assert requests.get(gateway.url, headers=by_service_name, timeout=5).status_code == 200


def test_with_keys_it_starts_beyond_loopback(
    start_service: StartService, keys_file: Path, key: str
) -> None:
    assert key
    gateway = start_service(
        "charge_request_service",
        BIND_HOST="0.0.0.0",  # noqa: S104 - what is tested
        CHARGE_API_KEYS_FILE=keys_file,
        **NOWHERE,
    )

    assert charge(gateway.url).status_code == 401


def test_the_command_takes_one_name() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_module("charge_request_service.keys", *arguments)

    assert run().returncode == run("a", "b").returncode == run("--help").returncode == 2
    wrong = run("a:b")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "is not a valid name for a key; it takes" in wrong.stderr
