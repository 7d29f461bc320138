"""How a process is reached, and how it ends."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from local_stack.process import Process
from tests.support.deadline import eventually


def process(folder: Path, *command: str, host: str = "127.0.0.1") -> Process:
    return Process("part", command, env={}, port=8080, log=folder / "part.log", host=host)


def deaf(folder: Path) -> Process:
    """Start a process that does not stop when it is asked to."""
    part = process(folder, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    part.start()
    part.wait_until(lambda: None if "ready" in part.log_tail() else "ready", 10)
    return part


def ended(part: Process) -> None:
    """Start a process, and wait until it has ended by itself."""
    part.start()

    def has_ended() -> None:
        assert not part.running

    eventually(has_ended)
    part.kill()  # nothing of it is left


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - not bound here
        ("192.0.2.7", "http://192.0.2.7:8080"),
        ("::", "http://[::1]:8080"),
        ("::1", "http://[::1]:8080"),
        ("gateway.example", "http://gateway.example:8080"),
    ],
)
def test_one_that_listens_everywhere_is_reached_here(tmp_path: Path, host: str, url: str) -> None:
    assert process(tmp_path, "true", host=host).url == url


def test_a_program_that_is_not_there_is_named_in_its_log(tmp_path: Path) -> None:
    part = process(tmp_path, "/no/such/program")
    ended(part)
    assert part.ending == "ended with exit status 127"
    assert "/no/such/program: not found" in part.log_tail()


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("exit 3", "ended with exit status 3"),
        ("kill -TERM $$", "was killed by SIGTERM"),
        ("kill -40 $$", "was killed by signal 40"),  # one that Python has no name for
    ],
)
def test_how_one_ended_is_reported(tmp_path: Path, command: str, ending: str) -> None:
    part = process(tmp_path, "sh", "-c", command)
    ended(part)
    assert part.ending == ending


def test_its_last_lines_are_none_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "part.log").write_text("of yesterday\n")
    part = process(tmp_path, "sh", "-c", "echo of today")
    ended(part)
    assert part.log_tail() == "of today"


def test_a_log_that_was_removed_is_said_to_be_gone(tmp_path: Path) -> None:
    part = process(tmp_path, "false")
    ended(part)
    part.log_file.unlink()
    assert "No such file" in part.log_tail()


def test_one_that_does_not_stop_is_killed_after_its_time(tmp_path: Path) -> None:
    part = deaf(tmp_path)

    with pytest.raises(subprocess.TimeoutExpired):
        part.stop(timeout_s=0.3)

    assert part.ending == f"was killed by {signal.SIGKILL.name}"


def test_one_that_does_not_stop_is_killed_in_a_hurry(tmp_path: Path) -> None:
    assert deaf(tmp_path).stop(hurry=lambda: True) == -signal.SIGKILL


def test_what_is_gone_is_not_signalled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = process(tmp_path, "true")
    ended(part)
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, _number: signalled.append(group))

    part.thaw()
    part.kill()

    assert not signalled  # its id may be another group's by now
