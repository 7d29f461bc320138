"""What runs under test: single processes, grids on free ports, and grids whose links can fail."""

import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from benchmarks.harness.reconciliation import Register
from local_stack.fault_proxy import FaultProxy
from local_stack.grid import DEFAULT_POINTS, Grid, Ports
from local_stack.process import Process

POINT_POWER_KW = 50.0
_READY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1
Env = Mapping[str, str]
_NONE: Env = {}


class Running(ExitStack):
    """Processes that are started one after the other, and killed in reverse order in the end."""

    def start(
        self,
        *processes: Process,
        ready: Callable[[Process], str | None] = Process.missing,
        within_s: float = _READY_WITHIN_S,
    ) -> None:
        """Start processes at once, and wait until each is ready.

        Raises:
            StartError: a process did not start.
        """
        for process in processes:
            self.callback(process.kill)
            process.start()
        for process in processes:
            process.wait_until(partial(ready, process), within_s)


def speed(kwh_per_s: float) -> Env:
    """Return the settings of substations whose points deliver this in a second, kWh."""
    time_scale = kwh_per_s * 3600 / POINT_POWER_KW
    return {"POINT_POWER_KW": f"{POINT_POWER_KW:g}", "TIME_SCALE": f"{time_scale:g}"}


def free_grid(
    folder: Path,
    points: Sequence[int],
    kwh_per_s: float,
    *,
    env: Env = _NONE,
    balancer_env: Env = _NONE,
    gateway_env: Env = _NONE,
) -> Grid:
    """Return a grid on free ports, with its logs, ledger and journals in a directory.

    Args:
        folder: the directory.
        points: number of charging points of each substation.
        kwh_per_s: what a point delivers in a second.
        env: settings of all parts.
        balancer_env: settings of the balancer.
        gateway_env: settings of the gateway.
    """
    return Grid(
        folder / "grid",
        points=points,
        ports=Ports.free(len(points)),
        env=env,
        substation_env=speed(kwh_per_s),
        balancer_env=balancer_env,
        gateway_env=gateway_env,
    )


class LinkedGrid:
    """A grid with fault proxies in its links. As a context manager it starts and ends it.

    Attributes:
        grid: the grid.
        services: its processes by name.
        links: once it runs, the proxies by the name of the part behind each.
    """

    def __init__(
        self,
        folder: Path,
        kwh_per_s: float,
        *,
        points: Sequence[int] = DEFAULT_POINTS,
        to_balancer: bool = False,
        env: Env = _NONE,
        balancer_env: Env = _NONE,
        gateway_env: Env = _NONE,
    ) -> None:
        """Prepare everything on free ports, with a link to each substation.

        Args:
            folder: directory of logs, ledger and journals.
            kwh_per_s: what a point delivers in a second.
            points: number of charging points of each substation.
            to_balancer: whether there is one to the balancer, too.
            env: settings of all parts.
            balancer_env: settings of the balancer.
            gateway_env: settings of the gateway.
        """
        fronts = Ports.free(len(points))
        names = [f"substation{number}" for number in range(1, len(points) + 1)]
        urls = [f"http://127.0.0.1:{port}" for port in fronts.substations]
        entries = ",".join(f"{name}={url}" for name, url in zip(names, urls, strict=True))
        balancer_url = {"BALANCER_URL": f"http://127.0.0.1:{fronts.balancer}"}
        self.grid = free_grid(
            folder,
            points,
            kwh_per_s,
            env=env,
            balancer_env={"SUBSTATIONS": entries, **balancer_env},
            gateway_env={**(balancer_url if to_balancer else {}), **gateway_env},
        )
        self.services = {service.name: service for service in self.grid.services}
        self.links: dict[str, FaultProxy] = {}
        self._fronts = {self.grid.balancer: fronts.balancer} if to_balancer else {}
        self._fronts |= dict(zip(self.grid.substations, fronts.substations, strict=True))
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for part, front in self._fronts.items():
                self.links[part.name] = opened.enter_context(FaultProxy(front, part.port))
            opened.callback(self.grid.kill)
            self.grid.start()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def registers(grid: Grid) -> dict[str, dict[str, Register]]:
    """Read the energy that each substation's registers have for each session."""
    return {
        part.name: {
            row["session_id"]: Register(
                row["energy_kwh"], row["began_at"], row["ended_at"] or math.inf
            )
            for row in grid.sessions(part)
        }
        for part in grid.substations
    }


def total_kwh(registers: Mapping[str, Mapping[str, Register]]) -> float:
    """Return the energy in all registers together, rounded to the Wh."""
    return round(sum(one.kwh for own in registers.values() for one in own.values()), 3)


def load_tester(url: str, log: Path, *options: str) -> Process:
    """Return the load tester, not yet started, with more options."""
    command = [sys.executable, "-m", "load_tester", "--url", url, *options]
    return Process("load_tester", command, env=os.environ, port=0, log=log)


def wait_for_end(process: Process, within_s: float) -> None:
    """Wait until a process has ended, or until this time is over, seconds."""
    deadline = time.monotonic() + within_s
    while process.running and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
