"""`python -m local_stack`: what it says of wrong options, and that it leaves nothing running."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from local_stack import __main__ as program
from local_stack.grid import Grid, Ports
from local_stack.process import Process, StartError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give back the handlers of signals, which the program takes for itself."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a grid whose processes are never started, and list those that are killed."""
    names: list[str] = []
    monkeypatch.setattr(Process, "kill", lambda process: names.append(process.name))
    monkeypatch.setattr(Process, "running", True)
    monkeypatch.setattr(Grid, "start", lambda _grid, **_: None)
    return names


EVERY = ["substation1", "substation2", "substation3", "load_balancer", "charge_request_service"]


def run(folder: Path) -> int:
    return program.main(["--no-prometheus", "--folder", str(folder)])


@pytest.mark.parametrize("error", [URLError("refused"), KeyboardInterrupt(), ValueError("a bug")])
def test_an_aborted_start_leaves_no_part_running(
    killed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException
) -> None:
    def start(_grid: Grid, **_: object) -> None:
        raise error

    monkeypatch.setattr(Grid, "start", start)
    with pytest.raises(type(error)):
        run(tmp_path)
    assert killed == EVERY


def test_a_part_that_does_not_stop_leaves_no_other_running(
    killed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(_grid: Grid, **_: object) -> None:
        raise subprocess.TimeoutExpired("gunicorn", 90)

    monkeypatch.setattr(Grid, "stop", stop)
    monkeypatch.setattr(Grid, "start", lambda _grid, **_: signal.raise_signal(signal.SIGTERM))
    assert run(tmp_path) == 1
    assert killed == EVERY
    assert "A process did not end within 90 s" in capsys.readouterr().out


@pytest.mark.parametrize("keys", ["", "api_keys.txt"])
def test_what_it_prints_to_type_brings_a_key_where_one_is_needed(
    killed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    keys: str,
) -> None:
    monkeypatch.setenv("CHARGE_API_KEYS_FILE", keys)
    monkeypatch.setattr(Grid, "start", lambda _grid, **_: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(Grid, "stop", lambda _grid, **_: None)
    assert run(tmp_path) == 0
    assert killed == EVERY
    reported = capsys.readouterr().out
    assert "curl" in reported
    assert "-m load_tester --url http://127.0.0.1:8080" in reported
    assert ("-H 'Authorization: Bearer KEY'" in reported) == bool(keys)
    assert ("--api-key-file FILE" in reported) == bool(keys)


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run(file / "folder") == 1
    reported = capsys.readouterr().err
    assert reported == (
        f"local_stack: {file / 'folder'}: not a directory; choose another folder "
        "(`make run ARGS=--help`)\n"
    )


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.log").mkdir()
    process = Process("one", ["true"], env={}, port=0, log=tmp_path / "one.log")
    with pytest.raises(StartError, match=r"one cannot be started: .*one\.log"):
        process.start()


def test_a_balancer_that_stops_answering_while_it_is_waited_for_is_a_start_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    grid = Grid(tmp_path, ports=Ports.free(3))
    monkeypatch.setattr(Process, "answers", lambda _process, _path: None)
    monkeypatch.setattr(Process, "running", True)
    monkeypatch.setattr(Process, "log_tail", lambda _process: "")
    with pytest.raises(StartError, match=r"GET /substations of load_balancer: .*refused"):
        grid.wait_ready(timeout_s=0)
