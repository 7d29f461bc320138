"""Which faults are drawn."""

from collections import Counter
from itertools import islice

from benchmarks.kills.plan import Fault, Moment, What, faults

PARTS = ["gateway", "balancer", "substation1", "substation2"]


def drawn(count: int, seed: int = 1) -> list[Fault]:
    return list(islice(faults(seed, parts=PARTS, committing=PARTS[:1], links=PARTS[1:]), count))


def test_a_seed_draws_the_same_faults_and_another_draws_others() -> None:
    assert drawn(50) == drawn(50)
    assert drawn(50) != drawn(50, seed=2)


def test_every_part_dies_at_every_moment_and_two_at_once() -> None:
    kills = [fault for fault in drawn(2000) if fault.what is What.KILL]
    single = Counter((one.targets[0], one.moment) for one in kills if len(one.targets) == 1)
    for part in PARTS:
        for moment in (Moment.ANY, Moment.ENDED, Moment.SEND):
            assert single[part, moment] > 20
    assert single["gateway", Moment.COMMIT] > 100
    pairs = {frozenset(one.targets) for one in kills if one.kills == 2}
    assert len(pairs) == 6


def test_four_of_five_faults_kill_and_links_are_cut_each_way() -> None:
    every = drawn(1000)
    assert Counter(fault.what for fault in every) == {
        What.KILL: 800,
        What.FREEZE: 100,
        What.CUT: 100,
    }
    assert len({(one.targets, one.way) for one in every if one.what is What.CUT}) == 9
