"""One run: starts the substations and a contender, plays a scene, collects results, cleans up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import gevent

from benchmarks.comparison.contenders.contender import Contender, Place
from benchmarks.comparison.cpu_contention import CpuContention
from benchmarks.comparison.scenes import Scene
from benchmarks.comparison.traffic import Traffic, TrafficRecord
from benchmarks.harness.grid import Running
from benchmarks.simulation.scenes import Event
from local_stack.scrape import scrape
from local_stack.session_logs import Attempt, attempts

_START_TIMEOUT_S = 30.0
_SETTLE_TIMEOUT_S = 10.0
_LOAD, _REFUSED = "substation_current_load", 'substation_sessions_total{outcome="refused"}'


@dataclass(frozen=True, slots=True)
class Run:
    """The recorded events of a contender's run."""

    record: TrafficRecord
    attempts: Sequence[Sequence[Attempt]]  # by substation, in order
    # number of vehicles (without bypass vehicles) sent to a full substation
    refused_by_substations: int
    ready_again: dict[str, float]  # by restarted substation: when it was ready, seconds of the run
    others_share: float | None = None  # share of CPU time used by other programs; None: unknown


class GridUnderTest:
    """The processes of one run. As a context manager it starts and ends them."""

    def __init__(self, scene: Scene, contender: Contender, folder: Path) -> None:
        """Prepare everything on free loopback ports; logs and configurations go to a directory."""
        self._scene = scene
        self._place = Place.free(scene.substations, folder, longest_s=scene.longest_s)
        self._contender = contender
        started = self._place.substation_processes(scene.time_scale)
        self._substations = {process.name: process for process in started}
        self._balancer = contender.process(self._place)
        self._running = Running()
        self._refused_before_kills = 0.0
        self._restarts: list[gevent.Greenlet[[str], None]] = []
        self._ready_again: dict[str, float] = {}
        self.traffic = Traffic(
            scene, self._balancer.url, [one.url for one in self._substations.values()]
        )

    def __enter__(self) -> Self:
        with Running() as running:
            running.start(*self._substations.values())
            running.start(
                self._balancer,
                ready=lambda process: self._contender.not_ready(process, self._place),
            )
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def play(self) -> Run:
        """Play the scene."""
        contention = CpuContention()

        def inject(fault: Event) -> None:
            contention.look()
            self._inject(fault)

        record = self.traffic.run(inject)
        others_share = contention.share()
        gevent.joinall(self._restarts, raise_error=True)
        refused = self._refused_before_kills + sum(self._settle())
        refused -= sum(charge.status == 503 for charge in record.bypass_vehicles)
        return Run(
            record,
            [attempts(substation.log_file) for substation in self._substations.values()],
            round(refused),
            self._ready_again,
            others_share,
        )

    def _inject(self, fault: Event) -> None:
        substation = self._substations[fault.substation]
        match fault.what:
            case "is killed":
                self._refused_before_kills += scrape(substation.url)[_REFUSED]
                substation.kill()
            case "freezes":
                substation.freeze()
            case "thaws":
                substation.thaw()
            case "starts":
                substation.start()
                self._restarts.append(gevent.spawn(self._note_when_ready, fault.substation))

    def _note_when_ready(self, name: str) -> None:
        substation = self._substations[name]
        substation.wait_until(substation.missing, _START_TIMEOUT_S)
        self._ready_again[name] = self.traffic.now

    def _settle(self) -> list[float]:
        """Wait until every substation is empty, so that its log is complete.

        Returns:
            How many vehicles each refused.
        """
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        alive = [substation for substation in self._substations.values() if substation.running]
        while (
            any(scrape(substation.url)[_LOAD] for substation in alive)
            and time.monotonic() < deadline
        ):
            gevent.sleep(0.05)
        return [scrape(substation.url)[_REFUSED] for substation in alive]
