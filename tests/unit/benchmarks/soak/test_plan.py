"""Which fault strikes when."""

from collections import Counter

from benchmarks.soak.plan import HOLD_S, Injection, plan

SUBSTATIONS = ["substation1", "substation2"]
PROXIES = ["balancer", "gateway"]
STEADFAST = ["substation1", *PROXIES]


def drawn(seed: int = 1, minutes: float = 20) -> list[Injection]:
    return plan(
        minutes * 60, 15, seed, substations=SUBSTATIONS, proxies=PROXIES, steadfast=STEADFAST
    )


def test_a_fault_is_due_every_15_seconds_and_none_at_the_very_end() -> None:
    assert [one.at_s for one in drawn()] == list(range(15, 1186, 15))


def test_a_seed_draws_the_same_faults_again_and_another_one_others() -> None:
    assert drawn(seed=7) == drawn(seed=7)
    assert drawn(seed=7) != drawn(seed=8)


def test_the_steadfast_are_killed_and_restarted_in_the_first_fifth_alone() -> None:
    injections = drawn()
    ends = [
        one for one in injections if one.what in ("kill", "restart") and one.target in STEADFAST
    ]
    assert {(one.what, one.target) for one in ends} == {
        (what, target) for what in ("kill", "restart") for target in STEADFAST
    }
    assert max(one.at_s for one in ends) <= 240


def test_every_kind_strikes_every_target_about_equally_often() -> None:
    count = Counter((one.what, one.target) for one in drawn() if one.at_s > 240)
    assert set(count) == {
        *(("freeze", target) for target in (*SUBSTATIONS, *PROXIES)),
        *((what, substation) for what in ("slow", "cut") for substation in SUBSTATIONS),
        *((what, "substation2") for what in ("kill", "restart")),
    }
    assert max(count.values()) - min(count.values()) <= 1


def test_a_fault_holds_within_its_bounds_and_says_so() -> None:
    for one in drawn():
        low, high = HOLD_S[one.what]
        assert low <= one.hold_s <= high
    assert str(Injection(15, "cut", "substation1", 2.5)) == "cut the link to substation1 for 2.5 s"
    assert str(Injection(15, "restart", "gateway", 0)) == "restart gateway"
