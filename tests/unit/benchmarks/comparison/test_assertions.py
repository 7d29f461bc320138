from collections.abc import Mapping

import pytest

from benchmarks.comparison.assertions import findings, is_flawed
from benchmarks.comparison.figures import Figures
from benchmarks.comparison.limit import Limit
from benchmarks.harness.findings import Finding
from tests.unit.benchmarks.comparison.builders import make_figures, make_results


def broken(**scenes: Mapping[str, Figures]) -> list[str]:
    return [one.words for one in findings(make_results(**scenes)) if not one.kept]


def test_a_flawless_run_keeps_every_promise() -> None:
    runs = {"ours": make_figures(), "haproxy": make_figures(lost=3)}
    assert broken(burst=runs, substation_killed=runs) == []


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("lost", "no vehicle is lost"),
        ("refused_while_free", "no vehicle is refused while a point is free"),
        ("over_capacity", "no substation is over capacity"),
        ("charged_twice", "no vehicle is charged twice"),
        ("sent_to_full", "no vehicle is sent to a full substation"),
    ],
)
def test_one_vehicle_is_enough_to_break_a_promise(field: str, words: str) -> None:
    (finding,) = [
        one
        for one in findings(make_results(rush_hour={"ours": make_figures(**{field: 1})}))
        if not one.kept and not one.is_timed
    ]
    assert words in finding.words
    assert finding.evidence == "1 in rush hour"


def test_where_bypass_vehicles_come_a_full_substation_may_be_met() -> None:
    assert broken(foreign_load={"ours": make_figures(sent_to_full=2, bypass_vehicles=50)}) == []


def test_a_contender_that_charged_all_and_was_faster_is_named() -> None:
    runs = {"ours": make_figures(mean_s=2.1), "envoy": make_figures(mean_s=2.0)}
    (finding,) = [one for one in findings(make_results(steady=runs)) if not one.kept]
    assert finding.evidence == "1.050 against envoy 1.000"
    assert finding.is_timed


def test_a_contender_that_lost_vehicles_is_not_compared_by_time() -> None:
    runs = {"ours": make_figures(mean_s=2.0), "nginx": make_figures(mean_s=1.0, lost=40)}
    assert broken(burst=runs) == []


@pytest.mark.parametrize("scene", ["steady", "substation_frozen"])
def test_the_variation_between_two_runs_does_not_count_as_a_difference(scene: str) -> None:
    def runs(mean_s: float) -> dict[str, Figures]:
        return {"ours": make_figures(mean_s=mean_s), "haproxy": make_figures()}

    assert broken(**{scene: runs(2.015)}) == []
    assert broken(**{scene: runs(2.03)}) != []


def test_the_limit_must_be_near_where_no_substation_fails() -> None:
    far = {"ours": make_figures(mean_s=2.12)}
    assert any("all-knowing" in words for words in broken(rush_hour=far))
    assert not any("all-knowing" in words for words in broken(substation_killed=far))


BOUND = Limit(mean_s=1.0)


def of_haproxy(**runs: Figures) -> Finding:
    (finding,) = [
        one
        for one in findings(make_results(unlike={key.replace("_", "-"): runs[key] for key in runs}))
        if "HAProxy" in one.words
    ]
    assert finding.is_timed
    return finding


@pytest.mark.parametrize(("mean_s", "kept"), [(0.6, True), (0.61, False)])
def test_the_better_haproxy_counts_where_power_is_shared(mean_s: float, kept: bool) -> None:
    finding = of_haproxy(
        ours=make_figures(limit=BOUND, mean_s=mean_s),
        haproxy=make_figures(limit=BOUND, mean_s=2.0),
        haproxy_limits=make_figures(limit=BOUND, mean_s=1.0),
    )
    assert finding.kept is kept
    assert finding.evidence == f"{mean_s:.3f} of haproxy-limits"


def test_an_haproxy_that_lost_vehicles_is_not_the_better_one() -> None:
    finding = of_haproxy(
        ours=make_figures(limit=BOUND, mean_s=1.0),
        haproxy=make_figures(limit=BOUND, mean_s=2.0),
        haproxy_limits=make_figures(limit=BOUND, mean_s=1.0, lost=1),
    )
    assert (finding.kept, finding.evidence) == (True, "0.500 of haproxy")


def test_losing_a_vehicle_is_no_gain_if_power_is_shared() -> None:
    assert not of_haproxy(
        ours=make_figures(limit=BOUND, mean_s=1.0, lost=1),
        haproxy=make_figures(limit=BOUND, mean_s=2.0),
    ).kept


def test_where_power_is_not_shared_haproxy_is_not_to_be_outdone() -> None:
    runs = {"ours": make_figures(), "haproxy": make_figures()}
    assert not any("HAProxy" in one.words for one in findings(make_results(burst=runs)))


def test_without_this_balancer_there_is_nothing_to_judge() -> None:
    assert findings(make_results(burst={"haproxy": make_figures()})) == []


def test_a_flaw_is_what_needs_no_clock_to_be_seen() -> None:
    assert not is_flawed(make_figures(mean_s=9.0, others_share=0.9))
    assert not is_flawed(make_figures(sent_to_full=2, bypass_vehicles=50))
    for count in ("lost", "refused_while_free", "over_capacity", "charged_twice", "sent_to_full"):
        assert is_flawed(make_figures(**{count: 1})), count
