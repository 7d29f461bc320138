"""Among many substations each choice is the one that a scan of all of them makes."""

import gc
import weakref
from random import Random
from unittest.mock import create_autospec

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.index.substation_index import SubstationIndex
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import DEFAULT_POLICY, POLICIES
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import QueuedSession
from tests.unit.load_balancer.routing.compared import ComparedPool
from tests.unit.load_balancer.routing.grid import Grid


class Region(Grid):
    """Many substations, alike or not, at which whatever can happen happens."""

    def __init__(self, policy: str, random: Random, *, pool: type[Pool] = ComparedPool) -> None:
        super().__init__(policy=policy, balancers=random.choice([1, 1, 2]), pool=pool)
        self.random = random
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
        self.kinds = {name: random.choice(kinds) for name in self.names}
        silent = random.choice([0, 0, 0.1, 1])
        self.silent = {name for name in self.names if random.random() < silent}
        self.know(*self.names)
        self.poll_most(1.0)

    def poll_most(self, share: float) -> None:
        for substation in list(self.pool.substations.values()):
            if self.random.random() < share:
                self.poll_as_it_may_be(substation.name)

    def poll_as_it_may_be(self, name: str) -> None:
        random, own = self.random, len(self.substation(name).in_flight)
        points, point_power_kw, limit_kw = self.kinds[name]
        each_kw, share_left = min(point_power_kw, 110.0), 0.7
        load = max(own, round(self.busy * points))
        if not self.are_alike:
            each_kw, share_left = min(point_power_kw, random.uniform(0, 250)), random.random()
            load = min(points, own + sum(random.random() < self.busy for _ in range(points)))
        power: dict[str, float | None] = {}
        if name not in self.silent:
            power = {
                "power_kw": random.choice([None, 0.7 * load * each_kw]),
                "power_limit_kw": limit_kw,
                "point_power_kw": point_power_kw,
                "committed_power_kw": load * each_kw,
                "remaining_energy_kwh": load * 20 * share_left,
                "time_scale": self.time_scale,
            }
        self.poll(name, load, capacity=points, draining=random.random() < 0.02, **power)

    def go_on(self) -> None:
        """Have one thing happen."""
        random, pool = self.random, self.pool
        self.pass_time(random.choice([0, 1e-6, 0.001, 0.01, 0.1]))
        match random.choices(
            ["arrival", "end", "poll", "trouble", "drain", "names", "polls", "peer"],
            [45, 30, 20, 1.5, 1, 1, 2, 2],
        )[0]:
            case "arrival":
                self.a_vehicle_comes()
            case "end" if self.sessions:
                self.a_session_ends(self.sessions.pop(random.randrange(len(self.sessions))))
            case "poll":
                self.poll_as_it_may_be(self.any_substation())
            case "trouble":
                fails = self.poll_missed if random.random() < 0.6 else self.poll_unreadable
                fails(self.any_substation())
            case "drain":
                pool.set_drained(random.choice(self.names), random.random() < 0.3, self.now)
            case "names":
                self.know(*[name for name in self.names if random.random() < 0.97] or ["s0"])
            case "polls":
                self.pass_time(0.3)
                self.poll_most(0.8)
            case "peer" if random.random() < 0.1:
                pool.forget_peer("peer")
            case "peer":
                address = self.substation(self.any_substation()).address
                pool.peer_holds("peer", {address: random.randint(0, 3)}, self.now)

    def any_substation(self) -> str:
        return self.random.choice([one.name for one in self.pool.substations.values()])

    def a_vehicle_comes(self) -> None:
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
        self.sessions.append(self.arrive(demand=demand, wait_s=wait_s))

    def a_session_ends(self, queued: QueuedSession) -> None:
        """Have an attempt end, after which the session may go on, or the vehicle disconnect."""
        how = "disconnected"
        if queued.dispatch is not None:
            how = self.random.choices(
                ["charged", "full", "rejected", "failed", "accepted", "disconnected"],
                [6, 1, 1, 0.5, 0.5, 1],
            )[0]
        if how in ("full", "rejected", "failed"):
            self.sessions.append(queued)
        if how == "disconnected":
            self.disconnect(queued)
        else:
            self.end(queued, Outcome(how), reason="reset", why="the connection was reset")


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


def large(policy: str, substations: int, taken: float = 0.8) -> Grid:
    """Substations of three kinds, each with vehicles and energy of its own."""
    random, grid = Random(5), Grid(policy=policy)
    names = [f"s{number}" for number in range(substations)]
    grid.know(*names)
    for number, name in enumerate(names):
        points, point_power_kw, limit_kw = ((12, 50, 300), (4, 350, 700), (24, 11, 150))[number % 3]
        load = sum(random.random() < taken for _ in range(points))
        each_kw = min(point_power_kw, random.uniform(40, 200))
        grid.poll(
            name,
            load,
            capacity=points,
            power_limit_kw=limit_kw,
            point_power_kw=point_power_kw,
            committed_power_kw=load * each_kw,
            remaining_energy_kwh=load * random.uniform(5, 25),
        )
    return grid


@pytest.mark.parametrize("policy", ["least-loaded", "earliest-finish"])
@pytest.mark.parametrize("taken", [0.5, 0.8, 0.95])
def test_most_substations_are_never_looked_at(
    policy: str, taken: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = large(policy, 1500, taken)
    option = SubstationIndex._option
    looks = create_autospec(option, side_effect=option)
    monkeypatch.setattr(SubstationIndex, "_option", looks)
    for number in range(50):
        grid.arrive(demand=Demand(5.0 + number, 50.0 + 4 * number))
    assert 50 <= looks.call_count < 50 * 30


def test_nothing_is_kept_of_substations_that_are_gone() -> None:
    grid = large("earliest-finish", 100)
    queued_sessions = [grid.arrive(demand=Demand(9.0)) for _ in range(300)]
    gone = [weakref.ref(substation) for substation in grid.pool.substations.values()]
    grid.know()
    for queued in queued_sessions:
        if queued.dispatch is not None:
            grid.complete(queued)
    assert not grid.pool.substations
    grid.know(*(f"t{number}" for number in range(100)))
    grid.pool.match(grid.now + 9.0)
    grid.decisions.clear()
    gc.collect()
    assert not [one for one in gone if one() is not None]
