"""The soak with real processes: one short run, and one that is interrupted."""

import signal
from pathlib import Path

import pytest

from tests.e2e.bench.conftest import Start, ends_cleanly_on_signal
from tests.support.deadline import eventually
from tests.support.marked import carrying, none_is_left

_SOAK = "benchmarks.soak"


@pytest.mark.timeout(240)  # half a minute of vehicles, then connections come to rest
def test_a_short_run_loses_nobody_and_ends_with_a_report_and_nothing_running(
    start: Start, mark: str, tmp_path: Path
) -> None:
    run = start(
        *(_SOAK, "--minutes", "0.6", "--every", "6", "--load", "0.25", "--out", str(tmp_path))
    )
    said, _ = run.communicate(timeout=200)

    assert run.returncode == 0, said
    assert "fault 4/4" in said
    report = (tmp_path / "soak.md").read_text()
    assert "| no vehicle is lost " in report
    assert "too short a run to tell" in report
    assert "**NO**" not in report
    assert (tmp_path / "images" / "soak-memory.svg").read_text().count("<polyline") >= 5
    none_is_left(mark)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_every_process(
    start: Start, mark: str, how: signal.Signals
) -> None:
    run = start(_SOAK, "--minutes", "1", "--every", "5")

    def vehicles_are_out() -> None:
        # The soak and its guardian, the load tester, and of five parts a master and a worker.
        assert len(carrying(mark)) == 3 + 5 * 2

    eventually(vehicles_are_out, within_s=40)
    ends_cleanly_on_signal(run, mark, how)


def test_a_wrong_option_is_named_with_what_it_takes(start: Start) -> None:
    said, _ = start(_SOAK, "--load", "80").communicate(timeout=20)
    assert "--load: '80' is not a share: give a number from 0.01 to 1" in said
