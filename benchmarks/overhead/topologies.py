"""The topologies for a charge: with fewer hops, or with another program in the balancer's place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.contenders import CONTENDERS, OURS, Contender, Place
from benchmarks.harness.grid import Running
from benchmarks.harness.throughput import Hops
from benchmarks.simulation.scenes import substations_of
from local_stack.grid import Ports
from local_stack.process import service

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
    place = Place.free(substations_of(*points), folder, longest_s=600)
    substations = place.substation_processes(time_scale)
    balancer = gateway = None
    with Running() as started:
        started.start(*substations)
        if contender := topology.balancer:
            balancer = contender.process(place)
            started.start(balancer, ready=lambda process: contender.not_ready(process, place))
            if topology.with_gateway:
                gateway = service(
                    "charge_request_service",
                    "charge_request_service",
                    env={"BALANCER_URL": balancer.url},
                    port=Ports.free(0).gateway,
                    log=folder / "charge_request_service.log",
                )
                started.start(gateway, ready=lambda process: process.answers("/healthz"))
        yield Hops(gateway, balancer, substations)
