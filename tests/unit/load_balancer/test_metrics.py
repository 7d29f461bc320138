"""What Prometheus is shown of the pool."""

import time
from collections import Counter

from prometheus_client import CollectorRegistry

from grid_common.histograms import Histograms
from load_balancer.dispatcher import Dispatcher
from load_balancer.metrics import BalancerCollector
from load_balancer.routing.health import Reading
from tests.support.logs import service_log
from tests.unit.load_balancer.parts import registers_of
from tests.unit.load_balancer.routing.grid import Grid


def samples(grid: Grid) -> list[tuple[str, str, float]]:
    """List what is shown of substations: name, substation and value."""
    shown = CollectorRegistry()
    waits, errors = (
        Histograms(name, "Of a test", registry=shown).labels() for name in ("waits", "errors")
    )
    registers = registers_of(grid.pool)
    dispatcher = Dispatcher(
        grid.pool, registers, longest_wait_s=60, waits=waits, errors=errors, log=service_log()
    )
    return [
        (sample.name, sample.labels["substation"], sample.value)
        for metric in BalancerCollector(grid.pool, dispatcher, registers).collect()
        for sample in metric.samples
        if sample.labels.keys() == {"substation"}
    ]


def test_a_substation_is_up_while_vehicles_can_be_given_to_it() -> None:
    grid = Grid(4)
    grid.now = time.monotonic()
    grid.poll("a")
    assert ("balancer_substation_up", "a", True) in samples(grid)
    grid.pass_time(-10)  # that is how old the gauge is
    grid.poll("a")
    assert ("balancer_substation_up", "a", False) in samples(grid)


def test_a_substation_that_says_so_drains_and_is_not_up() -> None:
    grid = Grid(4)
    assert ("balancer_substation_draining", "a", False) in samples(grid)
    grid.poll("a", draining=True)
    assert ("balancer_substation_draining", "a", True) in samples(grid)
    assert ("balancer_substation_up", "a", False) in samples(grid)


def test_power_is_shown_where_it_is_published_and_the_substation_is_not_down() -> None:
    grid = Grid(4, 4)
    reading = Reading(1, 4, power_kw=50.0, power_limit_kw=200.0, remaining_energy_kwh=7.0)
    grid.pool.poll_read(grid.substation("a"), reading, grid.now)
    assert {sample for sample in samples(grid) if sample[0].endswith(("_kw", "_kwh"))} == {
        ("balancer_substation_power_kw", "a", 50.0),
        ("balancer_substation_power_limit_kw", "a", 200.0),
        ("balancer_substation_remaining_energy_kwh", "a", 7.0),
    }

    grid.poll_missed("a", times=2)

    assert not [name for name, _, _ in samples(grid) if name.endswith(("_kw", "_kwh"))]


def test_of_two_addresses_of_one_name_the_one_that_is_there_is_shown() -> None:
    grid = Grid(4)
    grid.arrive()
    assert ("balancer_substation_own_load", "a", 1) in samples(grid)
    grid.pool.set_substations([("a", "http://elsewhere:5002")], grid.now)

    shown = samples(grid)

    assert len(grid.pool.substations) == 2
    assert max(Counter((name, substation) for name, substation, _ in shown).values()) == 1
    assert ("balancer_substation_own_load", "a", 0) in shown
