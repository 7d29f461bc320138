"""The commands that README and docs/ print for `make run`, run in order against it."""

import re
import subprocess
from pathlib import Path

import pytest
import requests

from tests.docs.commands import Command, classes, commands
from tests.docs.terminal import Terminal, make_checkout, stop
from tests.e2e.local.program import UP, free_ports
from tests.support.deadline import eventually

_PLAIN = Command("the beginning of a page", 0, "make run")


class Reader:
    """Types the commands; `make run` goes on in a terminal beside, until the next one."""

    def __init__(self, folder: Path) -> None:
        self.ports = free_ports(3)
        self.terminal = Terminal(
            make_checkout(folder),
            {
                "GATEWAY_PORT": str(self.ports.gateway),
                "PROMETHEUS_PORT": str(self.ports.prometheus),
            },
        )
        self.terminal.words |= {
            "localhost:8080": f"localhost:{self.ports.gateway}",
            "localhost:5002": f"localhost:{self.ports.substations[0]}",
        }
        (self.terminal.checkout / "sessions.csv").write_text(
            "arrival,energy_kwh\n" + "".join(f"{second},2\n" for second in range(0, 18_000, 60))
        )
        # Its port is no substation's: what is beside it runs all the same.
        (self.terminal.checkout / "substations.toml").write_text(
            f'[substations.north]\nurl = "http://127.0.0.1:{self.ports.prometheus}"\n'
        )
        self._said = self.terminal.checkout / "said"
        self._grid: subprocess.Popen[bytes] | None = None
        self._text = ""

    def begin_page(self) -> None:
        """Have a grid as `make run` makes it."""
        if self._text not in ("", _PLAIN.text):
            self._run_grid(_PLAIN)

    def types(self, command: Command) -> None:
        if re.search(r"\bmake run\b(?! ARGS=--help)", command.text):
            self._run_grid(command)
        else:
            url = f"-m load_tester --url http://127.0.0.1:{self.ports.gateway}"
            text = re.sub(r"-m load_tester(?![.\w])", url, command.text)
            self.terminal.run(Command(command.page, command.line, text, command.answer))

    def _run_grid(self, command: Command) -> None:
        self.stop()
        ports = (
            f"--balancer-port {self.ports.balancer} --substation-port {self.ports.substations[0]}"
        )
        text = re.sub(r"make run(?: ARGS=(\S+))?", rf'make run ARGS="\1 {ports}"', command.text)
        self._text = command.text
        self._grid = self.terminal.start(text, self._said)

        def is_up() -> None:
            assert UP in self._said.read_text(), f"{command}: {self._said.read_text()}"

        eventually(is_up, 60)
        if command.text == _PLAIN.text:
            answer = requests.post(f"http://127.0.0.1:{self.ports.gateway}/charge", timeout=30)
            self.terminal.words["019a218ab0c4e5d2f3716b80"] = answer.json()["session_id"]

    def stop(self) -> None:
        """Press Ctrl-C where the grid runs."""
        if self._grid is not None:
            stop(self._grid)
            assert "Stopped." in self._said.read_text(), self._said.read_text()
            self._grid = None


@pytest.mark.timeout(600)
def test_what_the_pages_print_works_in_the_order_of_the_pages(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    wanted = set(classes().local)
    page = ""
    try:
        for command in commands():
            if command.text not in wanted:
                continue
            if command.page != page:
                reader.begin_page()
                page = command.page
            wanted.discard(command.text)
            reader.types(command)
    finally:
        reader.stop()
    assert wanted == set()
