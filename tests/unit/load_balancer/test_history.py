"""The last minutes of every substation: samples, gaps, and cost."""

import time
from typing import Any

import orjson

from load_balancer.history import KEPT, History
from load_balancer.routing.health import Reading
from tests.support.allocations import traced_allocations
from tests.unit.load_balancer.routing.grid import Grid


def listed(history: History, now: float) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(history.document(now))
    return document


def polled(grid: Grid, name: str, **reading: Any) -> None:
    grid.poll_begins(name)
    grid.pool.poll_read(grid.substation(name), Reading(**reading), grid.now)


def test_a_history_begins_empty() -> None:
    assert listed(History(), 5) == {"age_s": 0, "interval_s": 1, "substations": []}


def test_load_power_and_limit_are_listed_oldest_first() -> None:
    grid = Grid(4, 8)
    history = History()
    for load, limit in ((1, 200.0), (3, 200.0), (2, 80.0)):
        polled(grid, "a", load=load, capacity=4, power_kw=load * 7.26, power_limit_kw=limit)
        history.sample(grid.pool.substations.values(), grid.now)
        grid.pass_time(1)

    assert listed(history, grid.now - 0.75) == {
        "age_s": 0.25,
        "interval_s": 1,
        "substations": [
            {
                "name": "a",
                "address": "http://a:5002",
                "load": [1, 3, 2],
                "power_kw": [7.3, 21.8, 14.5],
                "power_limit_kw": [200, 200, 80],
            },
            {
                "name": "b",
                "address": "http://b:5002",
                "load": [0, 0, 0],
                "power_kw": [None] * 3,
                "power_limit_kw": [None] * 3,
            },
        ],
    }


def test_what_was_not_known_is_null() -> None:
    grid = Grid(4)
    history = History()
    history.sample(grid.pool.substations.values(), grid.now)
    grid.poll_missed("a", times=2)  # it is down from now on
    grid.pass_time(1)
    history.sample(grid.pool.substations.values(), grid.now)
    grid.poll("a", 2)
    grid.know("a", "b")  # never polled
    grid.pass_time(3)  # nothing was sampled for two seconds, as where the process was stopped
    history.sample(grid.pool.substations.values(), grid.now)
    history.sample(grid.pool.substations.values(), grid.now + 0.1)  # the same second

    a, b = listed(history, grid.now)["substations"]
    assert a["load"] == [0, None, None, None, 2]
    assert b["load"] == [None] * 5


def test_ten_minutes_are_kept_and_a_substation_that_is_gone_is_not() -> None:
    grid = Grid(4, 4)
    history = History()
    for second in range(KEPT + 100):
        polled(grid, "a", load=second, capacity=1000)
        history.sample(grid.pool.substations.values(), grid.now)
        grid.pass_time(1)
    assert listed(history, grid.now)["substations"][0]["load"] == list(range(100, KEPT + 100))

    grid.know("b")
    history.sample(grid.pool.substations.values(), grid.now)
    assert [one["name"] for one in listed(history, grid.now)["substations"]] == ["b"]
    grid.pass_time(10 * KEPT)  # stopped for longer than is kept
    history.sample(grid.pool.substations.values(), grid.now)
    assert listed(history, grid.now)["substations"][0]["load"] == [None] * (KEPT - 1) + [0]


def test_memory_size_and_cost_are_bounded_for_300_substations() -> None:
    names = [f"substation-{number}" for number in range(300)]
    grid = Grid(*[1000] * 300, names=names)
    for name in names:
        polled(grid, name, load=999, capacity=1000, power_kw=12345.6, power_limit_kw=12345.6)
    history = History()

    with traced_allocations() as allocations:
        for _ in range(KEPT + 5):
            history.sample(grid.pool.substations.values(), grid.now)
            grid.pass_time(1)
        grown = allocations.held
    costs: list[tuple[float, float, float]] = []
    for _ in range(5):  # the least of each: other work on the machine makes each dearer at times
        grid.pass_time(2)
        began = time.thread_time()
        history.sample(grid.pool.substations.values(), grid.now)
        sampled = time.thread_time()
        document = history.document(grid.now)
        written = time.thread_time()
        assert history.document(grid.now) == document
        costs.append((sampled - began, written - sampled, time.thread_time() - written))
    sampled_s, written_s, again_s = map(min, zip(*costs, strict=True))

    assert grown < 6_000_000
    assert sampled_s < 0.02
    assert written_s < 0.1
    assert again_s < written_s / 3
    assert len(document) < 400_000
    answer = orjson.loads(document)
    assert answer["interval_s"] == 14
    assert len(answer["substations"][299]["load"]) == 43
