"""The measurement of cost with real processes: one short run."""

import shutil
from pathlib import Path

import pytest

from benchmarks.overhead.results import Results
from tests.e2e.bench.conftest import Start
from tests.support.marked import none_is_left


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_run_ends_with_a_report_and_nothing_running(
    start: Start, mark: str, tmp_path: Path
) -> None:
    run = start(
        "benchmarks.overhead", "--quick", "--topologies", "substation,whole", "--out", str(tmp_path)
    )
    said, _ = run.communicate(timeout=110)

    assert run.returncode == 0, said
    substation, whole = Results.load(tmp_path / "overhead.json").topologies
    assert [rush.at_a_time for rush in whole.rushes] == [1, 32]
    for alone, all_three in zip(substation.rushes, whole.rushes, strict=True):
        assert alone.cpu_s.keys() == {"substation"}
        assert all_three.cpu_s.keys() == {"gateway", "balancer", "substation"}
        assert min(all_three.cpu_s.values()) > 0
        assert alone.per_s > all_three.per_s > 0
    assert substation.held == []
    [held] = whole.held
    assert (held.vehicles, held.charged, held.lost) == (300, 300, 0)
    assert all(1_000 < held.memory_bytes[part] < 100_000 for part in held.memory_bytes)
    assert "| **gateway, balancer, substation** |" in (tmp_path / "overhead.md").read_text()
    none_is_left(mark)


def test_a_way_that_is_not_known_is_named(start: Start) -> None:
    run = start("benchmarks.overhead", "--topologies", "substation,tram")
    said, _ = run.communicate(timeout=20)

    assert run.returncode == 2
    assert "'tram' is not one of substation, balancer, haproxy, whole, whole-haproxy" in said
