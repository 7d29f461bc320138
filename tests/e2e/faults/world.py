"""The grid under fault, in either form: as processes here, as containers in `compose/`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import requests

from local_stack.faults import Part
from local_stack.grid import Grid
from local_stack.scrape import scrape
from local_stack.session_logs import Attempt, attempts


class World(Protocol):
    """What a scene needs of the grid."""

    @property
    def url(self) -> str:
        """Where vehicles find the gateway."""

    @property
    def substations(self) -> Sequence[str]:
        """Names of the substations."""

    def part(self, name: str) -> Part:
        """Return a part by its name: gateway, balancer, or a substation's."""

    def attempts(self, substation: str) -> list[Attempt]:
        """Read the sessions that a substation has logged, over all of its restarts."""

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        """Read every part's metrics, by the part's name."""


class Processes:
    """The grid as processes."""

    def __init__(self, grid: Grid) -> None:
        self._parts = {substation.name: substation for substation in grid.substations}
        self._parts |= {"balancer": grid.balancer, "gateway": grid.gateway}
        self.substations = [substation.name for substation in grid.substations]
        self.grid = grid

    @property
    def url(self) -> str:
        return self.grid.url

    def part(self, name: str) -> Part:
        return self._parts[name]

    def attempts(self, substation: str) -> list[Attempt]:
        return attempts(self._parts[substation].log_file)

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        return {name: scrape(part.url) for name, part in self._parts.items()}


def expect_normal(world: World) -> None:
    """Assert that the grid takes vehicles and sees every substation of the world up."""
    ready = requests.get(f"{world.url}/readyz", timeout=2)
    assert ready.status_code == 200, ready.text
    view = requests.get(f"{world.url}/substations", timeout=2).json()
    health = {substation["name"]: substation["health"] for substation in view["substations"]}
    not_up = {name: health.get(name) for name in world.substations if health.get(name) != "up"}
    assert not not_up, f"not up: {not_up}"


def expect_full(world: World, points: int) -> None:
    """Assert that as many vehicles charge as there are points."""
    view = requests.get(f"{world.url}/substations", timeout=2).json()
    substations = [
        substation for substation in view["substations"] if substation["name"] in world.substations
    ]
    charging = sum(substation["own_load"] for substation in substations)
    assert charging == points, f"{charging} vehicles charge, {view['waiting']} wait"


def expect_idle(world: World) -> None:
    """Assert that no vehicle is left anywhere."""
    for name, counters in world.counters().items():
        for gauge in (
            "substation_current_load",
            "balancer_waiting_sessions",
            "charge_requests_in_progress",
        ):
            assert counters.get(gauge, 0) == 0, f"{name}: {gauge} is {counters[gauge]:g}"
