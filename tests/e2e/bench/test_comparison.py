"""The benchmark with real processes: one short run, and one that is interrupted."""

import signal
from pathlib import Path

import pytest

from benchmarks.comparison.contenders.contender import find
from benchmarks.comparison.results import Results
from tests.e2e.bench.conftest import Start, ends_cleanly_on_signal
from tests.support.deadline import eventually
from tests.support.marked import carrying, none_is_left

_QUICK = ("benchmarks.comparison", "--quick", "--scenes", "burst")


def test_a_run_ends_with_a_report_and_nothing_running(
    start: Start, mark: str, tmp_path: Path
) -> None:
    run = start(*_QUICK, "--contenders", "ours,simple", "--out", str(tmp_path))
    said, _ = run.communicate(timeout=60)

    assert run.returncode == 0, said
    assert "[ 2/2] the simple way" in said
    ours, simple = (
        Results.load(tmp_path / "comparison.json").scenes[0].runs[k] for k in ("ours", "simple")
    )
    assert (ours.figures.lost, ours.figures.sent_to_full) == (0, 0)
    assert simple.figures.lost == simple.figures.sent_to_full > 0
    assert ours.figures.ratio < 1.5
    assert "60 vehicles" in (tmp_path / "comparison.md").read_text()
    none_is_left(mark)


@pytest.mark.timeout(240)
@pytest.mark.skipif(find("haproxy") is None, reason="haproxy is not installed")
def test_where_unlike_substations_share_power_the_choice_shortens_the_time_to_charge(
    start: Start, mark: str, tmp_path: Path
) -> None:
    asked = ("--quick", "--scenes", "unlike-substations", "--contenders", "ours,haproxy-limits")
    run = start("benchmarks.comparison", *asked, "--out", str(tmp_path))
    said, _ = run.communicate(timeout=220)

    assert run.returncode == 0, said
    (scene,) = Results.load(tmp_path / "comparison.json").scenes
    ours, haproxy = (scene.runs[key].figures for key in ("ours", "haproxy-limits"))
    assert (ours.vehicles, ours.lost, ours.over_capacity, ours.charged_twice) == (265, 0, 0, 0)
    assert (haproxy.vehicles, haproxy.lost) == (265, 0)
    assert 1 < ours.ratio < 0.7 * haproxy.ratio, "no choice beats the bound"
    assert "Lower bound: mean 37.2 minutes" in (tmp_path / "comparison.md").read_text()
    none_is_left(mark)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_every_process(
    start: Start, mark: str, how: signal.Signals
) -> None:
    run = start(*_QUICK, "--contenders", "ours")

    def all_are_up() -> None:
        # The benchmark, its guardian, and of 3 substations and the balancer a master and a worker.
        assert len(carrying(mark)) == 2 + 4 * 2

    eventually(all_are_up, within_s=20)
    ends_cleanly_on_signal(run, mark, how)
