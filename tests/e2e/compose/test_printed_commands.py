"""The commands that README and docs/ print for Compose, run in order against a separate stack."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.docs.commands import Command, classes, commands
from tests.docs.terminal import Terminal, make_checkout
from tests.e2e.compose.stack import SUBSTATIONS, Stack

_AGAIN = Command("the beginning of a page", 0, "docker compose up --wait")


class Reader:
    """Types the commands, and counts the substations after each."""

    def __init__(self, folder: Path, *, has_grafana: bool) -> None:
        checkout = make_checkout(folder)
        file = checkout / "docker-compose.yml"
        if not has_grafana:
            document = yaml.safe_load(file.read_text())
            del document["services"]["grafana"]
            file.write_text(yaml.safe_dump(document))
        self.stack = Stack(f"ev-grid-docs-{os.getpid()}", [], files=[file])
        project = {"COMPOSE_PROJECT_NAME": self.stack.project}
        self.terminal = Terminal(checkout, self.stack.environment | project)
        gateway = f"127.0.0.1:{self.stack.ports['gateway']}"
        self.terminal.words |= {
            "localhost:8080": gateway,
            "this-machine:8080": gateway,
            "SERVICE": "substation1",
        }
        self._scaled: dict[str, int] = {}

    def begin_page(self) -> None:
        """Have a terminal where nothing was exported, and the stack that belongs to it."""
        if self.terminal.exported:
            self.terminal.exported.clear()
            self.types(_AGAIN)

    def types(self, command: Command) -> None:
        if re.search(r"\blogs -f\b", command.text):
            self.terminal.listen(command)
            return
        said = self.terminal.run(command, timeout_s=600)
        if command.text == "docker compose down":
            assert self.stack.remains() == []
            self.types(_AGAIN)
            self.send_the_vehicle_of_the_pages()  # its log went with the containers
        if key := re.search(r"evgrid_\S+", said):
            self.terminal.words["evgrid_..."] = key[0]
        if " up " in command.text:
            self._count_in(command.text)
        self._hold_to_what_was_asked_for(command)

    def send_the_vehicle_of_the_pages(self) -> None:
        """Charge the one that they look for in the log."""
        answer = requests.post(
            self.stack.url("gateway", "/charge"), headers={"X-Request-ID": "trip-42"}, timeout=30
        )
        assert answer.status_code == 200

    def _count_in(self, text: str) -> None:
        scaled = dict(re.findall(r"--scale (substation\d)=(\d+)", text))
        if not re.sub(r"--scale \S+|-\S+", "", text.partition(" up ")[2]).strip():
            self._scaled.clear()  # it names no service, and so goes back to one of each
        self._scaled |= {name: int(count) for name, count in scaled.items()}

    def _hold_to_what_was_asked_for(self, command: Command) -> None:
        here = {name: len(self.stack.containers(name)) for name in SUBSTATIONS}
        wanted = dict.fromkeys(SUBSTATIONS, 1) | self._scaled
        assert here == wanted, f"{command.page}, line {command.line}: {command.text}"


@pytest.fixture
def reader(tmp_path: Path, has_grafana: bool) -> Iterator[Reader]:
    reader = Reader(tmp_path, has_grafana=has_grafana)
    yield reader
    reader.stack.scrub()


def test_what_the_pages_print_works_in_the_order_of_the_pages(reader: Reader) -> None:
    wanted = set(classes().compose)
    typed: set[tuple[str, ...]] = set()
    page = ""
    for command in commands():
        if command.text not in classes().compose:
            continue
        if command.page != page:
            reader.begin_page()
            page = command.page
        once = (command.text, *reader.terminal.exported)
        if once in typed:
            continue
        reader.types(command)
        if not typed:
            reader.send_the_vehicle_of_the_pages()
        typed.add(once)
        wanted.discard(command.text)
    assert wanted == set()
