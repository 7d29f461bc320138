"""Among many substations each choice is the one that a scan of all of them makes."""

import gc
import weakref
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import HealthCheck, Reading
from load_balancer.routing.index.substation_index import SubstationIndex
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import DEFAULT_POLICY, POLICIES
from load_balancer.routing.policy import Decision, Option
from load_balancer.routing.pool import Pool
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import QueuedSession, Substation
from tests.unit.load_balancer.routing.compared import ComparedPool


class Region:
    """Many substations, alike or not, at which whatever can happen happens."""

    def __init__(self, policy: str, random: Random, *, pool: type[Pool] = ComparedPool) -> None:
        self.random = random
        self.now = 100.0
        self.decisions: list[Decision] = []
        self.pool = pool(
            POLICIES[policy],
            random=Random(1),
            health_check=HealthCheck(),
            budget=RetryBudget(share=0.2, floor_per_s=50, burst=500),
            balancers=random.choice([1, 1, 2]),
            on_decision=self.decisions.append,
        )
        self.names = [f"s{number}" for number in range(random.choice([2, 5, 17, 40]))]
        self.sessions: list[QueuedSession] = []
        # Where substations are alike in all, many finishes are equal.
        self.are_alike = random.random() < 0.5
        self.busy = random.random()
        self.time_scale = random.choice([1.0, 36.0, 360.0])
        kinds = [
            (
                random.randint(1, 12),
                random.choice([11.0, 50.0, 150.0, 350.0, random.uniform(5, 400)]),
                random.choice([None, 0.0, 30.0, 100.0, 300.0, 700.0, random.uniform(1, 900)]),
            )
            for _ in range(random.choice([1, 3, len(self.names)]))
        ]
        self.kinds = {f"http://{name}": random.choice(kinds) for name in self.names}
        silent = random.choice([0, 0, 0.1, 1])
        self.silent = {address for address in self.kinds if random.random() < silent}
        self.know(self.names)
        self.poll_most(1.0)

    def know(self, names: list[str]) -> None:
        self.pool.set_substations([(name, f"http://{name}") for name in names], self.now)

    def poll_most(self, share: float) -> None:
        for substation in list(self.pool.substations.values()):
            if self.random.random() < share:
                self.poll(substation)

    def poll(self, substation: Substation) -> None:
        random = self.random
        points, point_power_kw, limit_kw = self.kinds[substation.address]
        each_kw, share_left, own = min(point_power_kw, 110.0), 0.7, len(substation.in_flight)
        load = max(own, round(self.busy * points))
        if not self.are_alike:
            each_kw, share_left = min(point_power_kw, random.uniform(0, 250)), random.random()
            load = min(points, own + sum(random.random() < self.busy for _ in range(points)))
        reading = Reading(load, points, draining=random.random() < 0.02)
        if substation.address not in self.silent:
            reading = replace(
                reading,
                power_kw=random.choice([None, 0.7 * load * each_kw]),
                power_limit_kw=limit_kw,
                point_power_kw=point_power_kw,
                committed_power_kw=load * each_kw,
                remaining_energy_kwh=load * 20 * share_left,
                time_scale=self.time_scale,
            )
        self.pool.poll_began(substation, self.now)
        self.pool.poll_read(substation, reading, self.now)

    def go_on(self) -> None:
        """Have one thing happen."""
        random, pool = self.random, self.pool
        self.now += random.choice([0, 1e-6, 0.001, 0.01, 0.1])
        match random.choices(
            ["arrival", "end", "poll", "trouble", "drain", "names", "polls", "peer"],
            [45, 30, 20, 1.5, 1, 1, 2, 2],
        )[0]:
            case "arrival":
                self.arrive()
            case "end" if self.sessions:
                self.end(self.sessions.pop(random.randrange(len(self.sessions))))
            case "poll":
                self.poll(self.any_substation())
            case "trouble":
                self.fail_a_poll()
            case "drain":
                pool.set_drained(random.choice(self.names), random.random() < 0.3, self.now)
            case "names":
                self.know([name for name in self.names if random.random() < 0.97] or ["s0"])
            case "polls":
                self.now += 0.3
                self.poll_most(0.8)
            case "peer":
                self.get_a_report()

    def fail_a_poll(self) -> None:
        if self.random.random() < 0.6:
            self.pool.poll_missed(self.any_substation(), "no answer", self.now)
        else:
            self.pool.poll_unreadable(self.any_substation(), "no gauge")

    def get_a_report(self) -> None:
        if self.random.random() < 0.1:
            self.pool.forget_peer("peer")
        else:
            held = {self.any_substation().address: self.random.randint(0, 3)}
            self.pool.peer_holds("peer", held, self.now)

    def any_substation(self) -> Substation:
        return self.random.choice(list(self.pool.substations.values()))

    def arrive(self) -> None:
        random = self.random
        kwh, soc = random.uniform(0.1, 60), random.uniform(0.1, 0.9)
        demand = random.choice(
            [
                Demand(10.0),
                Demand(kwh),
                Demand(kwh, random.choice([11.0, 50.0, 100.0, 150.0, 250.0])),
                Demand(min(kwh, 60 * (1 - soc)), random.choice([50.0, 150.0]), 60.0, soc),
            ]
        )
        wait_s = random.choice([0, 1, 60, 3600])
        queued = QueuedSession("session", "EV", self.now, self.now + wait_s, demand)
        self.pool.arrive(queued, self.now)
        self.sessions.append(queued)

    def end(self, queued: QueuedSession) -> None:
        pool, dispatch, now = self.pool, queued.dispatch, self.now
        if dispatch is None:
            pool.leave(queued, now)
            return
        how = self.random.choices(
            ["charged", "full", "rejected", "failed", "accepted", "disconnected"],
            [6, 1, 1, 0.5, 0.5, 1],
        )[0]
        if how in ("full", "rejected", "failed"):
            self.sessions.append(queued)
        if how == "disconnected":
            pool.leave(queued, now)
        else:
            pool.end(dispatch, Outcome(how), now, reason="reset", why="the connection was reset")


@pytest.mark.parametrize("policy", POLICIES)
def test_each_choice_is_that_of_a_scan_of_all_substations(policy: str) -> None:
    decisions = 0
    for seed in range(60 if policy == DEFAULT_POLICY else 8):
        region = Region(policy, Random(seed))
        for _ in range(120):
            region.go_on()
        decisions += len(region.decisions)
    assert decisions > 100


def test_a_pool_that_scans_and_one_with_an_index_decide_the_same_for_long() -> None:
    reported = []
    for pool in (Pool, ComparedPool):
        region = Region("earliest-finish", Random(11), pool=pool)
        for _ in range(400):
            region.go_on()
        reported.append([(one.substation, one.reason, one.next_best) for one in region.decisions])
    assert reported[0] == reported[1]


def large(policy: str, substations: int, taken: float = 0.8) -> Pool:
    """Substations of three kinds, each with vehicles and energy of its own."""
    random = Random(5)
    pool = Pool(
        POLICIES[policy],
        random=random,
        health_check=HealthCheck(),
        budget=RetryBudget(share=0.2, floor_per_s=50, burst=500),
    )
    pool.set_substations(
        [(f"s{number}", f"http://s{number}") for number in range(substations)], 0.0
    )
    for number, substation in enumerate(pool.substations.values()):
        points, point_power_kw, limit_kw = ((12, 50, 300), (4, 350, 700), (24, 11, 150))[number % 3]
        load = sum(random.random() < taken for _ in range(points))
        each_kw = min(point_power_kw, random.uniform(40, 200))
        reading = Reading(
            load,
            points,
            power_limit_kw=limit_kw,
            point_power_kw=point_power_kw,
            committed_power_kw=load * each_kw,
            remaining_energy_kwh=load * random.uniform(5, 25),
        )
        pool.poll_began(substation, 0.0)
        pool.poll_read(substation, reading, 0.0)
    return pool


@pytest.mark.parametrize("policy", ["least-loaded", "earliest-finish"])
@pytest.mark.parametrize("taken", [0.5, 0.8, 0.95])
def test_most_substations_are_never_looked_at(
    policy: str, taken: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = large(policy, 1500, taken)
    looked_at: Counter[str] = Counter()
    option = SubstationIndex._option

    def noted(index: SubstationIndex, substation: Substation, kept: Mapping[str, int]) -> Option:
        looked_at[substation.name] += 1
        return option(index, substation, kept)

    monkeypatch.setattr(SubstationIndex, "_option", noted)
    for number in range(50):
        demand = Demand(5.0 + number, 50.0 + 4 * number)
        pool.arrive(QueuedSession(f"session-{number}", "EV", 0.0, 60.0, demand), 0.0)
    assert 50 <= looked_at.total() < 50 * 30


def test_nothing_is_kept_of_substations_that_are_gone() -> None:
    pool = large("earliest-finish", 100)
    for number in range(300):
        pool.arrive(QueuedSession(f"session-{number}", "EV", 0.0, 60.0, Demand(9.0)), 0.0)
    gone = [weakref.ref(substation) for substation in pool.substations.values()]
    pool.set_substations([], 1.0)
    for dispatch in [
        one for substation in pool.substations.values() for one in substation.in_flight
    ]:
        pool.end(dispatch, Outcome.CHARGED, 1.0)
    assert not pool.substations
    pool.set_substations([(f"t{number}", f"http://t{number}") for number in range(100)], 2.0)
    pool.match(9.0)
    del dispatch
    gc.collect()
    assert not [one for one in gone if one() is not None]
