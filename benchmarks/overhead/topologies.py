"""The topologies for a charge: with fewer hops, or with another program in the balancer's place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.comparison.contenders import CONTENDERS, OURS, Contender, Place, PlacedSubstation
from benchmarks.harness.throughput import Hops
from benchmarks.simulation.demand import POINT_POWER_KW
from local_stack.grid import Ports
from local_stack.process import Process, service

_READY_WITHIN_S = 30.0
_HAPROXY, _SIMPLE = (
    next(contender for contender in CONTENDERS if contender.key == key)
    for key in ("haproxy", "simple")
)


@dataclass(frozen=True, slots=True)
class Topology:
    """The hops from the caller to a substation, with the contender in the balancer's place."""

    key: str
    name: str
    balancer: Contender | None
    with_gateway: bool

    def missing(self) -> str | None:
        """Return what is not installed for it."""
        return self.balancer.missing() if self.balancer else None


SUBSTATION = Topology("substation", "substation alone", None, with_gateway=False)
BALANCER = Topology("balancer", "balancer, substation", OURS, with_gateway=False)
HAPROXY = Topology("haproxy", "HAProxy, substation", _HAPROXY, with_gateway=False)
WHOLE = Topology("whole", "**gateway, balancer, substation**", OURS, with_gateway=True)
WHOLE_HAPROXY = Topology(
    "whole-haproxy", "gateway, HAProxy, substation", _HAPROXY, with_gateway=True
)
WHOLE_SIMPLE = Topology(
    "whole-simple", "gateway, the simple way, substation", _SIMPLE, with_gateway=True
)
TOPOLOGIES = (SUBSTATION, BALANCER, HAPROXY, WHOLE, WHOLE_HAPROXY, WHOLE_SIMPLE)


@contextmanager
def running(
    topology: Topology, folder: Path, *, points: Sequence[int], time_scale: float
) -> Iterator[Hops]:
    """Run a topology's processes until the block ends.

    Args:
        topology: the topology.
        folder: directory of logs; a new one.
        points: charging points of each substation.
        time_scale: charging speed relative to real time.

    Raises:
        StartError: a process did not start.
    """
    folder.mkdir()
    ports = Ports.free(len(points))
    substations = [
        _service(
            "substation_service",
            port,
            folder,
            {
                "SUBSTATION_NAME": f"substation{number}",
                "CHARGING_POINTS": str(count),
                "TIME_SCALE": str(time_scale),
            },
        )
        for number, (port, count) in enumerate(zip(ports.substations, points, strict=True), 1)
    ]
    place = Place(
        ports.balancer,
        ports.prometheus,
        [
            PlacedSubstation(
                f"substation{number}", port, count, POINT_POWER_KW, count * POINT_POWER_KW
            )
            for number, (port, count) in enumerate(zip(ports.substations, points, strict=True), 1)
        ],
        folder,
        longest_s=600,
    )
    balancer = topology.balancer.process(place) if topology.balancer else None
    gateway = (
        _service("charge_request_service", ports.gateway, folder, {"BALANCER_URL": balancer.url})
        if topology.with_gateway and balancer
        else None
    )
    started: list[Process] = []
    try:
        for process in substations:
            process.start()
            started.append(process)
        for process in substations:
            process.wait_until(partial(process.answers, "/readyz"), _READY_WITHIN_S)
        if topology.balancer and balancer:
            contender = topology.balancer
            balancer.start()
            started.append(balancer)
            balancer.wait_until(lambda: contender.not_ready(balancer, place), _READY_WITHIN_S)
        if gateway:
            gateway.start()
            started.append(gateway)
            gateway.wait_until(lambda: gateway.answers("/healthz"), _READY_WITHIN_S)
        yield Hops(gateway, balancer, substations)
    finally:
        for process in reversed(started):
            process.kill()


def _service(module: str, port: int, folder: Path, env: dict[str, str]) -> Process:
    return service(module, module, env=env, port=port, log=folder / f"{module}-{port}.log")
