"""Which of several runs of a scene counts, and a benchmark that has nothing to measure."""

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.comparison.benchmark import Benchmark
from benchmarks.comparison.cli import main
from benchmarks.comparison.contenders import CONTENDERS, Contender
from benchmarks.comparison.contenders.haproxy import HAProxy
from benchmarks.comparison.figures import Figures
from benchmarks.comparison.options import parse
from benchmarks.comparison.results import ContenderRun
from benchmarks.comparison.scenes import Scene
from benchmarks.harness.errors import CannotMeasure
from tests.unit.benchmarks.comparison.builders import make_figures

SIMPLE = next(contender for contender in CONTENDERS if contender.key == "simple")
BUSY, BUSIER, QUIET = 0.3, 0.5, 0.02


class Scripted(Benchmark):
    """A benchmark whose runs are given."""

    def __init__(self, runs: Iterable[Figures], *asked: str) -> None:
        self._output = StringIO()
        super().__init__(parse(["--quick", *asked]), Console(file=self._output))
        self.left: Iterator[Figures] = iter(runs)

    @property
    def said(self) -> str:
        return self._output.getvalue()

    def _play_once(self, _scene: Scene, _contender: Contender, _folder: Path) -> ContenderRun:
        self._runs += 1
        return ContenderRun(next(self.left), [])


def counts(contender: str, runs: Sequence[Figures]) -> tuple[Figures, int]:
    """Return the run that counts, and how many were not played."""
    benchmark = Scripted(runs, "--scenes", "burst", "--contenders", contender)
    (scene,) = benchmark.run().scenes
    return scene.runs[contender].figures, len(list(benchmark.left))


def test_a_busy_run_is_played_again_until_one_is_quiet() -> None:
    runs = [make_figures(others_share=share) for share in (BUSIER, QUIET, BUSY)]
    assert counts("ours", runs) == (runs[1], 1)


def test_of_busy_runs_the_least_busy_counts() -> None:
    runs = [make_figures(others_share=share) for share in (BUSIER, BUSY, BUSIER)]
    assert counts("ours", runs) == (runs[1], 0)


@pytest.mark.parametrize(
    "flaw", ["lost", "refused_while_free", "over_capacity", "charged_twice", "sent_to_full"]
)
def test_a_run_in_which_this_balancer_did_what_it_must_not_counts(flaw: str) -> None:
    flawed = make_figures(others_share=BUSIER, **{flaw: 3})
    flawless = make_figures(others_share=BUSY)
    assert counts("ours", [flawed, flawless, flawless]) == (flawed, 2)
    assert counts("ours", [flawless, flawed, flawless]) == (flawed, 1)
    assert counts("ours", [flawless, flawless, flawed]) == (flawed, 0)


def test_what_a_contender_lost_on_a_busy_machine_is_not_held_against_it() -> None:
    lost, lost_none = make_figures(others_share=BUSY, lost=3), make_figures(others_share=QUIET)
    assert counts("simple", [lost, lost_none]) == (lost_none, 0)


def _have_haproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HAProxy, "missing", lambda _self: None)
    monkeypatch.setattr(HAProxy, "version", lambda _self: "1.0")


def test_a_contender_plays_only_the_scenes_that_show_anything_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _have_haproxy(monkeypatch)
    benchmark = Scripted(
        [make_figures()] * 3,
        *("--contenders", "simple,haproxy-limits"),
        *("--scenes", "burst,unlike-substations"),
    )
    burst, unlike = benchmark.run().scenes
    assert (list(burst.runs), list(unlike.runs)) == (["simple"], ["haproxy-limits", "simple"])
    assert (burst.shares_power, unlike.time_scale) == (False, 3600)
    assert "[3/3]" in benchmark.said.replace(" ", "")


def test_scenes_that_no_contender_plays_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _have_haproxy(monkeypatch)
    benchmark = Scripted([], "--contenders", "haproxy-limits", "--scenes", "burst")
    with pytest.raises(CannotMeasure, match="plays"):
        benchmark.run()


def test_without_any_contender_there_is_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(type(SIMPLE), "missing", lambda _self: "it is not installed")
    monkeypatch.setattr("benchmarks.harness.command.raise_on_signal", lambda: None)
    assert main(["--contenders", "simple", "--out", str(tmp_path)]) == 1
    assert "error: none of the contenders is installed" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
