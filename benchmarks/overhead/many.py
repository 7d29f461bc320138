"""What the number of substations costs the balancer: charges of no length, and idle time."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import meter, throughput
from benchmarks.harness.grid import Running
from benchmarks.harness.throughput import Hops
from benchmarks.overhead.many_substations import address
from benchmarks.overhead.results import Many
from local_stack.grid import Ports
from local_stack.process import ROOT, Process, service

AT_A_TIME = 32
_READY_WITHIN_S = 90.0
_LOOK_AGAIN_S = 2.0


def measure(policy: str, substations: int, folder: Path, *, idle_s: float, seconds: int) -> Many:
    """Run a balancer with this many substations, and charge.

    Args:
        policy: its ROUTING_POLICY.
        substations: how many there are.
        folder: directory of logs; a new one.
        idle_s: how long to measure it without a charge, seconds.
        seconds: how long vehicles charge.

    Raises:
        StartError: a process did not start.
        CannotMeasure: not every vehicle was charged.
    """
    folder.mkdir()
    ports = Ports.free(1)
    with _running(policy, substations, folder, ports) as hops:
        balancer = hops.parts["balancer"]
        before_s = meter.cpu_s(balancer)
        time.sleep(idle_s)
        idle_cpu = (meter.cpu_s(balancer) - before_s) / idle_s
        rush = throughput.rush(hops, folder, at_a_time=AT_A_TIME, seconds=seconds)
        return Many(
            policy,
            substations,
            rush.per_s,
            rush.p99_s,
            rush.cpu_s["balancer"],
            idle_cpu,
            meter.memory_bytes(balancer),
        )


@contextmanager
def _running(policy: str, count: int, folder: Path, ports: Ports) -> Iterator[Hops]:
    port = ports.substations[0]
    substations = Process(
        "substations",
        [sys.executable, "-m", "benchmarks.overhead.many_substations", str(port), str(count)],
        env={"PYTHONPATH": str(ROOT)},
        host=address(0),
        port=port,
        log=folder / "substations.log",
        ready_path="/metrics",
    )
    urls = ",".join(f"s{number}=http://{address(number)}:{port}" for number in range(count))
    balancer = service(
        "balancer",
        "load_balancer",
        env={"SUBSTATIONS": urls, "ROUTING_POLICY": policy},
        port=ports.balancer,
        log=folder / "balancer.log",
    )
    with Running() as running:
        running.start(substations, within_s=_READY_WITHIN_S)
        running.start(
            balancer, ready=lambda process: _missing(process, count), within_s=_READY_WITHIN_S
        )
        yield Hops(None, balancer, [substations])


def _missing(balancer: Process, substations: int) -> str | None:
    """Wait for nearly every substation: on a busy machine some polls may be late."""
    unready = balancer.answers("/readyz")
    if unready is not None:
        return unready
    time.sleep(_LOOK_AGAIN_S)  # listing thousands takes a while, during which none is polled
    up = balancer.get("/substations", 10).count(b'"health":"up"')
    return None if up >= 0.99 * substations else f"{up} of {substations} are up"


def per_core(row: Many) -> float:
    """Return the rate of a balancer with a processor of its own, by its CPU time, a second.

    What the polls leave of the processor, over what a charge takes without them.
    """
    return (1 - row.idle_cpu) / (row.cpu_s - row.idle_cpu / row.per_s)


def kb_for_each(rows: Sequence[Many], policy: str) -> float:
    """Return the memory of an additional substation, beyond the smallest number measured, KB."""
    ordered = sorted((row for row in rows if row.policy == policy), key=lambda row: row.substations)
    fewest, most = ordered[0], ordered[-1]
    more = most.substations - fewest.substations
    return (most.memory_bytes - fewest.memory_bytes) / 1024 / more if more else 0.0
