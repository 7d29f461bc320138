"""A run's outputs: each is independent, and none is left half written."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from load_tester.outputs import Output, OutputError, check_apart
from tests.support.commands import run
from tests.unit.load_tester.conftest import ROOT, LoadTest, Start, StartCounterpart

QUICK = ("--vehicles", "20", "--rate", "200", "--kwh", "1")
MISSED = ("--max-p99", "0.0001")


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


@pytest.mark.parametrize("full", ["--json", "--report", "--each"])
@pytest.mark.parametrize(("more", "status"), [((), 4), (MISSED, 5)])
def test_an_output_that_cannot_be_written_takes_no_other_along(
    start_load_test: Start,
    tmp_path: Path,
    full: str,
    more: tuple[str, ...],
    status: int,
) -> None:
    files = {option: tmp_path / option for option in ("--json", "--report", "--each")}
    outputs = [f"{option}={file}" for option, file in files.items() if option != full]

    ended = finish(start_load_test(*QUICK, *more, *outputs, f"{full}=/dev/full"))

    assert ended[0] == status, ended[1]
    assert f"load_tester: {full} /dev/full: no space left on device; it was not written" in ended[1]
    assert "Traceback" not in ended[1]
    assert "20 of 20 vehicles charged" in ended[1]
    written = {option: file.read_text() for option, file in files.items() if option != full}
    if full != "--json":
        assert json.loads(written["--json"])["vehicles"]["charged"] == 20
    if full != "--report":
        assert "20 of 20 vehicles charged" in written["--report"]
        assert f"report: {files['--report']}" in ended[1]
    if full != "--each":
        assert len(written["--each"].splitlines()) == 21
    assert sorted(tmp_path.iterdir()) == sorted(file for file in files.values() if file.exists())


def run_in_shell(command: str) -> "subprocess.CompletedProcess[str]":
    return run("bash", "-c", f"set -o pipefail; {command}")


def test_a_reader_that_leaves_ends_its_output_and_not_the_run(
    counterpart: StartCounterpart, tmp_path: Path
) -> None:
    page, report = tmp_path / "r.html", tmp_path / "r.json"
    done = run_in_shell(
        f"{sys.executable} -m load_tester --url {counterpart()} --report {page} --json {report} "
        "--vehicles 60 --rate 10 --kwh 1 | head -1"  # 6 s: lines of progress on the way
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert "60 of 60 vehicles charged" in page.read_text()
    assert json.loads(report.read_text())["vehicles"]["charged"] == 60


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        ("> /dev/full", 4, "standard output: no space left on device; the rest was not written"),
        (">&-", 0, ""),
        ("--json - | true", 4, "--json -: broken pipe; it was not written"),
        ("--json - > /dev/full", 4, "--json -: no space left on device; it was not written"),
    ],
)
def test_a_standard_output_that_fails_costs_only_itself(
    counterpart: StartCounterpart, tmp_path: Path, redirection: str, status: int, said: str
) -> None:
    page = tmp_path / "page.html"
    done = run_in_shell(
        f"{sys.executable} -m load_tester --url {counterpart()} {' '.join(QUICK)} "
        f"--report {page} {redirection}"
    )

    assert done.returncode == status, done.stderr
    assert done.stderr.count(f"load_tester: {said}") == bool(said)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "20 of 20 vehicles charged" in page.read_text()


def test_letters_that_the_terminal_lacks_do_not_end_the_report(
    counterpart: StartCounterpart, tmp_path: Path
) -> None:
    trace = tmp_path / "sessions.csv"
    trace.write_text("arrival,kwh (für alle) kWh\n0,1\n1,1\n")
    done = run_in_shell(
        f"PYTHONIOENCODING=ascii {sys.executable} -m load_tester --url {counterpart()} "
        f"--trace {trace} --energy-column 'kwh (für alle) kWh' --duration 0.1"
    )

    assert done.returncode == 0, done.stderr
    assert r"kwh (f\xfcr alle) kWh" in done.stdout
    assert done.stdout.rstrip().endswith("2 of 2 vehicles charged")


@pytest.mark.parametrize(
    "outputs",
    [
        ("--json", "x", "--report", "x"),
        ("--json", "x", "--each", "./x"),
        ("--report", "link", "--each", "x"),
        ("--trace", "x", "--each", "x"),
    ],
)
def test_two_outputs_in_one_file_are_refused_before_the_run(
    counterpart: StartCounterpart, tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    (tmp_path / "x").write_text("arrival,kwh\n0,1\n")
    (tmp_path / "link").symlink_to("x")
    command = [sys.executable, "-m", "load_tester", "--url", counterpart(), *outputs]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert f"is the same file as {outputs[0]}" in done.stderr
    assert (tmp_path / "x").read_text() == "arrival,kwh\n0,1\n"


def test_standard_output_and_a_file_are_not_mixed_either(
    counterpart: StartCounterpart, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    done = run_in_shell(
        f"{sys.executable} -m load_tester --url {counterpart()} --report {page} > {page}"
    )

    assert done.returncode == 2
    assert f"--report {page}: is the same file as standard output" in done.stderr


def test_devices_may_be_named_more_than_once() -> None:
    null = Path("/dev/null")
    check_apart({"a": null, "b": null, "c": Path("/dev/full")})


def test_an_output_appears_whole_and_what_was_there_stays_until_then(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("before")
    file.chmod(0o640)
    output = Output("--report", file)
    assert file.read_text() == "before"

    def render(target: object) -> None:
        target.write("after")  # type: ignore[attr-defined] # a file
        assert file.read_text() == "before"

    output.write(render)

    assert file.read_text() == "after"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    output.close()
    assert list(tmp_path.iterdir()) == [file]


def test_an_output_whose_writing_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("before")
    output = Output("--report x", file)

    with pytest.raises(OutputError, match="the tester itself failed: ZeroDivisionError"):
        output.write(lambda target: target.write(str(1 / 0)))
    output.close()

    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_one_and_its_file_is_written(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    output = Output("--json", link)
    output.write(lambda target: target.write("x"))

    assert link.is_symlink()
    assert file.read_text() == "x"


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    output = Output("--json", pipe)
    output.write(lambda target: target.write("x"))
    reader.join(10)

    assert read == ["x"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_run_that_is_killed_leaves_what_was_there(start_load_test: Start, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text("before")
    process = start_load_test("--json", str(file), "--duration", "600")
    assert process.stdout is not None
    process.stdout.readline()  # by now it is open
    process.kill()
    process.communicate()

    assert file.read_text() == "before"


def test_what_cannot_be_written_is_known_before_the_run(
    start_load_test: Start, tmp_path: Path
) -> None:
    for path, fault in [(tmp_path, "is a directory"), (tmp_path / "no" / "x", "no such file")]:
        status, output = finish(start_load_test("--each", str(path)))
        assert status == 2
        assert f"--each {path}: {fault}" in output


def test_a_fault_of_the_testers_own_is_not_taken_for_vehicles_lost(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "import load_tester.cli\n"
        "def fail(*_): raise RuntimeError('out of luck')\n"
        "load_tester.cli.make_plan = fail\n"
        "raise SystemExit(load_tester.cli.main())\n"
    )
    done = run_in_shell(f"PYTHONPATH={ROOT} {sys.executable} {tmp_path / 'broken.py'}")

    assert done.returncode == 3
    assert "load_tester: the tester itself failed:" in done.stderr
    assert "RuntimeError: out of luck" in done.stderr


def test_each_row_keeps_its_energy_to_the_last_digit(load_test: LoadTest, tmp_path: Path) -> None:
    trace, each = tmp_path / "trace.csv", tmp_path / "each.csv"
    trace.write_text("arrival,kwh\n0,123456.789\n")
    load_test("--trace", str(trace), "--each", str(each), kwh_per_s=1e9)

    assert each.read_text().splitlines()[1].split(",")[2] == "123456.789"
