"""The Compose grid with API keys, set up as docs/operations.md says."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.compose.stack import (
    COMPOSE_FILE,
    Stack,
    compose_missing,
    engine_missing,
    resolved,
    running,
)
from tests.support.deadline import eventually

KEYS_FILE = COMPOSE_FILE.with_name("docker-compose.keys.yml")
MAKE_KEY = (
    *("run", "--rm", "--no-deps", "-T", "charge_request_service"),
    *("python", "-m", "charge_request_service.keys"),
)


class Guarded:
    """A stack with keys, the file of keys that it follows, and a key."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "api_keys.txt"
        self.load_tester_file = folder / "load_tester_key.txt"
        self.stack = Stack(
            f"ev-grid-keys-{os.getpid()}",
            ["charge_request_service"],
            files=(COMPOSE_FILE, KEYS_FILE),
            API_KEYS_FILE=str(self.file),
            LOAD_TESTER_KEY_FILE=str(self.load_tester_file),
        )

    def make_key(self, name: str) -> str:
        """Make a key in a container, and append its line as `>>` does."""
        if not self.file.exists():
            self.file.touch()  # the shell's part
        made = self.stack.compose(*MAKE_KEY, name, timeout_s=600)
        with self.file.open("a") as lines:
            lines.write(made.stdout)
        (key,) = (word for word in made.stderr.split() if word.startswith("evgrid_"))
        return key

    def charge(self, key: str) -> requests.Response:
        return self.stack.charge(Authorization=f"Bearer {key}")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guarded, str]]:
    missing = engine_missing()
    if missing:
        pytest.skip(missing)
    guarded = Guarded(tmp_path_factory.mktemp("keys"))
    key = guarded.make_key("first")
    guarded.load_tester_file.write_text(key)
    with running(guarded.stack):
        yield guarded, key


def test_two_services_get_a_secret_each_and_nothing_else_changes() -> None:
    missing = compose_missing()
    if missing:
        pytest.skip(missing)
    plain, with_keys = resolved()["services"], resolved(KEYS_FILE)["services"]

    secrets = {
        name: [secret["source"] for secret in service["secrets"]]
        for name, service in with_keys.items()
        if "secrets" in service
    }
    assert secrets == {"charge_request_service": ["api_keys"], "load_tester": ["load_tester_key"]}
    changed = {
        (name, part)
        for name, service in with_keys.items()
        for part, value in service.items()
        if value != plain[name].get(part)
    }
    assert changed == {
        ("charge_request_service", "environment"),
        ("charge_request_service", "secrets"),
        ("load_tester", "entrypoint"),
        ("load_tester", "secrets"),
    }


def test_the_gateway_takes_keys_from_the_secret_and_follows_it(
    guarded: tuple[Guarded, str],
) -> None:
    grid, key = guarded

    assert grid.stack.charge().status_code == 401
    assert grid.charge(key).status_code == 200
    added = grid.make_key("second")

    def is_let_in() -> None:
        assert grid.charge(added).status_code == 200

    eventually(is_let_in, within_s=5)


def test_a_rush_hour_gets_its_key_from_its_own_secret(guarded: tuple[Guarded, str]) -> None:
    grid, _ = guarded
    vehicles = ("--vehicles", "20", "--rate", "20", "--kwh", "5")

    done = grid.stack.compose("run", "--rm", "-T", "load_tester", *vehicles, timeout_s=600)

    assert "20 of 20 vehicles charged" in done.stdout


def test_no_key_is_in_an_environment_a_command_or_a_log(guarded: tuple[Guarded, str]) -> None:
    grid, key = guarded
    digest = grid.file.read_text().split(":")[1][:64]

    reported = str(grid.stack.containers()) + grid.stack.compose("logs", "--no-color").stdout

    assert key not in reported
    assert digest not in reported


def test_published_to_others_it_does_not_start_without_keys(guarded: tuple[Guarded, str]) -> None:
    grid, _ = guarded
    alone = Stack(grid.stack.project, [], GATEWAY_HOST="0.0.0.0")  # noqa: S104 - what is refused

    refused = alone.compose("run", "--rm", "--no-deps", "-T", "charge_request_service", check=False)

    assert refused.returncode == 2
    assert "PUBLISHED_HOST=0.0.0.0 admits other machines" in refused.stderr
    assert "CHARGE_API_KEYS_FILE" in refused.stderr
