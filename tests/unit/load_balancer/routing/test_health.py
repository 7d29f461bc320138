"""When a substation is polled again, from the counts of its failures."""

from random import Random

import pytest

from load_balancer.routing.health import FailureCounts, Health, HealthCheck, Reading
from load_balancer.routing.substation import Substation

CHECK = HealthCheck(interval_s=1.0, max_pause_s=8.0)


def pauses(failures: FailureCounts, *, is_down: bool, urgent: bool = False) -> tuple[float, float]:
    """Return the shortest and the longest of many pauses, rounded."""
    random = Random(1)
    drawn = [failures.pause_s(CHECK, random, is_down=is_down, urgent=urgent) for _ in range(2_000)]
    return round(min(drawn), 2), round(max(drawn), 2)


def counts(ejections: int = 0, misses: int = 0, probes: int = 0) -> FailureCounts:
    failures = FailureCounts()
    failures.ejections += ejections
    failures.misses += misses
    failures.probes += probes
    return failures


def test_a_healthy_substation_is_polled_at_the_interval_and_at_once_after_a_miss() -> None:
    assert pauses(counts(), is_down=False) == (0.9, 1.1)
    assert pauses(counts(misses=1), is_down=False) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("failures", "urgent", "longest_s"),
    [
        (counts(), False, 1.0),
        (counts(probes=1), False, 2.0),
        (counts(probes=3), False, 8.0),
        (counts(probes=2_000), False, 8.0),
        (counts(ejections=1), False, 1.0),
        (counts(ejections=3), False, 4.0),
        (counts(ejections=3, probes=1), False, 4.0),
        (counts(probes=3), True, 1.0),
        (counts(probes=3, misses=3), True, 0.25),
        (counts(ejections=3, misses=3), True, 1.0),
        (counts(probes=3, misses=3), False, 8.0),
    ],
)
def test_pauses_between_probes_grow(
    failures: FailureCounts, urgent: bool, longest_s: float
) -> None:
    shortest, longest = pauses(failures, is_down=True, urgent=urgent)
    assert shortest == pytest.approx(longest_s / 2, abs=0.01)
    assert longest == longest_s


def test_many_substations_are_polled_less_often_and_each_at_most_as_often() -> None:
    few, many = HealthCheck(interval_s=1.0, polls_per_s=100.0), 400
    assert few.among(100) is few
    slow = few.among(many)
    assert (slow.interval_s, slow.min_pause_s, slow.trust_s) == (4.0, 4.0, 12.0)
    random = Random(1)
    missed = [
        counts(misses=1).pause_s(slow, random, is_down=False, urgent=False) for _ in range(2_000)
    ]
    assert (round(min(missed), 1), round(max(missed), 1)) == (0.0, 2.0)
    down = [counts().pause_s(slow, random, is_down=True, urgent=True) for _ in range(2_000)]
    assert set(down) == {4.0}


def test_a_new_substation_takes_in_a_reading_that_no_poll_announced() -> None:
    substation = Substation("a", "http://a", balancers=1, health_check=CHECK)
    assert (substation.health, substation.unavailable_reason(0.0)) == (
        Health.UNKNOWN,
        "not polled yet",
    )
    substation.read(Reading(1, 4), 0.0)
    assert (substation.health, substation.load) == (Health.UP, 1)


def test_without_a_reason_the_health_is_the_reason() -> None:
    substation = Substation("a", "http://a", balancers=1, health_check=CHECK)
    substation.health, substation.reason = Health.DRAINING, None
    assert substation.unavailable_reason(0.0) == "draining"
