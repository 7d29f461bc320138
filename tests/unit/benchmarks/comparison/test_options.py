from pathlib import Path

import pytest

from benchmarks.comparison.options import parse
from benchmarks.harness.options import RESULTS


def test_a_whole_run_writes_to_the_results_and_a_part_of_one_does_not(tmp_path: Path) -> None:
    assert parse([]).out == RESULTS
    for part in (["--quick"], ["--scenes", "burst"], ["--contenders", "ours"], ["--seed", "2"]):
        assert parse(part).out is None
    assert parse(["--quick", "--out", str(tmp_path)]).out == tmp_path


def test_scenes_and_contenders_can_be_picked() -> None:
    options = parse(["--scenes", "substation-frozen,burst", "--contenders", "simple, ours"])
    assert parse(["--rivals", "simple,ours"]).contenders == options.contenders  # its old name
    assert [scene.name for scene in options.scenes] == ["burst", "substation frozen"]
    assert [contender.key for contender in options.contenders] == ["ours", "simple"]


def test_a_scene_that_a_quick_run_leaves_out_can_be_asked_for() -> None:
    (scene,) = parse(["--quick", "--scenes", "rush-hour"]).scenes
    assert scene.ends_at == 4.5


def test_what_is_not_known_is_named_with_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--contenders", "ours,traefik"])
    message = capsys.readouterr().err
    assert "--contenders: 'traefik' is not one of ours, haproxy, haproxy-limits, nginx" in message
