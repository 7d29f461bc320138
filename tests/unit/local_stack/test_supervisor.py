"""Processes that end are restarted: when, how often, and with which messages."""

import signal
import sys
from pathlib import Path

import pytest

from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.supervisor import PAUSES_S, WELL_AFTER_S, Supervisor
from tests.support.deadline import eventually

_SERVE = "import http.server as h, sys; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]))"
_FAIL = "print('no luck'); raise SystemExit(3)"


class Watched:
    """A process under a supervisor, the time that the supervisor has, and what it said."""

    def __init__(self, folder: Path, code: str, *, restarts: bool = True) -> None:
        port = Ports.free(0).gateway
        self.now = 0.0
        self.reported: list[str] = []
        self.process = Process(
            "part",
            [sys.executable, "-c", code, str(port)],
            env={},
            port=port,
            log=folder / "part.log",
            ready_path="/",
        )
        self.process.start()
        self.supervisor = Supervisor(
            [self.process], say=self.reported.append, clock=lambda: self.now, restarts=restarts
        )

    def has_ended(self) -> None:
        assert not self.process.running

    def ends(self) -> str:
        """Wait for its end, and let the supervisor find it; return what that said."""
        eventually(self.has_ended, 10)
        self.reported.clear()
        self.supervisor.look()
        return "\n".join(self.reported)

    def waits(self, pause: float) -> None:
        """Hold it to starting the process after `pause` seconds, and no sooner."""
        self.now += pause - 0.01
        self.supervisor.look()
        assert not self.process.running
        self.now += 0.01
        self.supervisor.look()


@pytest.fixture
def failing(tmp_path: Path) -> Watched:
    return Watched(tmp_path, _FAIL)


def test_the_pause_grows_and_the_part_is_given_up_after_some_tries(failing: Watched) -> None:
    assert list(PAUSES_S) == sorted(set(PAUSES_S))
    for number, pause in enumerate(PAUSES_S, start=1):
        assert failing.ends() == (
            f"part ended with exit status 3. It will be restarted in {pause:g} s "
            f"(restart {number} of {len(PAUSES_S)})."
        )
        failing.waits(pause)
    assert failing.ends() == (
        "part ended with exit status 3. It stays down after 5 restarts; its log ends with:\n"
        "no luck"  # of the last start alone
    )

    failing.now += 3600
    failing.supervisor.look()
    assert not failing.process.running


def test_a_part_that_ran_for_long_begins_with_the_first_pause_again(failing: Watched) -> None:
    failing.ends()
    failing.waits(PAUSES_S[0])
    failing.now += WELL_AFTER_S - 0.1
    assert "restart 2 of 5" in failing.ends()
    failing.waits(PAUSES_S[1])
    failing.now += WELL_AFTER_S
    assert "restart 1 of 5" in failing.ends()
    failing.process.kill()


def test_a_part_that_answers_again_is_reported_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, _SERVE)
    watched.process.kill()
    assert watched.ends() == (
        "part was killed by SIGKILL. It will be restarted in 0.5 s (restart 1 of 5)."
    )
    watched.waits(0.5)
    watched.reported.clear()

    def is_reported() -> None:
        watched.supervisor.look()
        assert watched.reported == ["part is ready again."]

    eventually(is_reported, 10)
    watched.supervisor.look()
    assert watched.reported == ["part is ready again."]
    watched.process.kill()


def test_a_program_that_has_gone_is_a_try(failing: Watched) -> None:
    failing.ends()
    failing.process.log_file.unlink()
    failing.process.log_file.mkdir()
    failing.now += 0.5
    failing.reported.clear()
    failing.supervisor.look()
    (reported,) = failing.reported
    assert reported.startswith("part did not start (part cannot be started: ")
    assert "restart 2 of 5" in reported


def test_nothing_is_started_again_unless_wanted(tmp_path: Path) -> None:
    watched = Watched(tmp_path, _FAIL, restarts=False)
    assert watched.ends() == "part ended with exit status 3. It stays down."
    watched.now += 3600
    watched.supervisor.look()
    assert not watched.process.running


def test_what_a_program_leaves_behind_is_ended_before_it_is_started(tmp_path: Path) -> None:
    child = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    watched = Watched(tmp_path, child)
    group = Path(f"/proc/{watched.process.pid}/task/{watched.process.pid}/children")
    left = int(eventually(lambda: _first(group)))
    watched.process._popen.send_signal(signal.SIGKILL)  # type: ignore[union-attr] # it runs
    watched.ends()

    def is_gone() -> None:
        stat = Path(f"/proc/{left}/stat")
        assert not stat.exists() or stat.read_text().split()[2] == "Z"

    eventually(is_gone)
    assert watched.process.log_tail() == ""


def _first(children: Path) -> str:
    found = children.read_text().split()
    assert found
    return found[0]
