"""The checked-in report of the simulation, with all its contenders, is reproduced."""

import difflib
from pathlib import Path

import pytest

from benchmarks.simulation import __main__ as command
from benchmarks.simulation import report
from benchmarks.simulation.assertions import OURS, Results
from benchmarks.simulation.scenes import SCENES, STALE, Scene


@pytest.fixture(scope="module")
def results() -> Results:
    return report.play_all()


def test_the_checked_in_report_is_what_the_routing_core_does_now(results: Results) -> None:
    before = command.REPORT.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(before, report.write(results).splitlines(), lineterm=""))
    assert not difference, (
        "routing behaves differently; look at the difference, and if it is meant, run "
        "`python -m benchmarks.simulation`:\n" + "\n".join(difference)
    )


def test_the_yardsticks_are_what_the_literature_says_of_them(results: Results) -> None:
    stale = results[STALE.name]
    assert 15 < stale["gauge only"].mean_gap < 25
    assert 2.5 < stale["gauge + sent"].mean_gap < 8
    assert 1.2 < stale["all-knowing, shortest queue"].mean_gap < 1.6


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_vehicle_of_every_contender_is_accounted_for(scene: Scene, results: Results) -> None:
    for name, one in results[scene.name].items():
        assert one.vehicles == results[scene.name][OURS].vehicles > 100, name
        assert one.lost >= 0, name
        assert one.over_capacity == 0, name
        assert one.charged_twice == 0, name


def test_check_shows_how_the_report_differs(
    results: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = tmp_path / "report.md"
    monkeypatch.setattr(command, "REPORT", written)
    monkeypatch.setattr(report, "play_all", lambda: results)  # they were played already
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    capsys.readouterr()
    written.write_text(written.read_text().replace("## burst", "## bust"))
    changed = written.read_text()
    assert command.main(["--check"]) == 1
    assert "-## bust\n+## burst\n" in capsys.readouterr().out
    assert written.read_text() == changed
