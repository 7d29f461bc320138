"""One run: starts the sites and a rival, lets a scene happen, gathers what was seen, cleans up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

import gevent

from benchmarks.comparison.contenders.contender import Place, PlacedSite, Rival
from benchmarks.comparison.cpu_contention import Bystanders
from benchmarks.comparison.scenes import Fault, Scene
from benchmarks.comparison.traffic import Traffic, Trip
from local_stack.grid import Ports
from local_stack.process import Process, service
from local_stack.scrape import scrape
from local_stack.session_logs import Visit, visits

_START_TIMEOUT_S = 30.0
_SETTLE_TIMEOUT_S = 10.0
_LOAD, _REFUSED = "substation_current_load", 'substation_sessions_total{outcome="refused"}'


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen of a rival in a scene."""

    trip: Trip
    visits: Sequence[Sequence[Visit]]  # by site, in order
    refused_by_sites: int  # times that a vehicle (no stranger) came to a full site
    ready_again: dict[int, float]  # by site that was started again: when, seconds of the run
    others_share: float | None = None  # of the processors' time, used by others; None: not known


class Stage:
    """The processes of one run. As a context manager it starts them and ends them all."""

    def __init__(self, scene: Scene, rival: Rival, folder: Path) -> None:
        """Lay everything out on free ports of loopback; logs and configurations go to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        ports = Ports.free(len(scene.sites))
        placed = [
            PlacedSite(site.name, port, site.capacity, site.point_power_kw, site.limit_kw)
            for site, port in zip(scene.sites, ports.substations, strict=True)
        ]
        self._scene = scene
        self._place = Place(ports.balancer, ports.prometheus, placed, folder, scene.longest_s)
        self._rival = rival
        self._sites = [_substation(site, folder, scene.time_scale) for site in placed]
        self._balancer = rival.process(self._place)
        self._refused_before: list[float] = [0.0] * len(placed)
        self._restarts: list[gevent.Greenlet[[int], None]] = []
        self._ready_again: dict[int, float] = {}
        self.traffic = Traffic(scene, self._balancer.url, [site.url for site in self._sites])

    def __enter__(self) -> "Stage":
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def play(self) -> Run:
        """Let the scene happen."""
        bystanders = Bystanders(self._sessions)

        def befall(fault: Fault) -> None:
            bystanders.look()
            self._befall(fault)

        trip = self.traffic.run(befall)
        others_share = bystanders.share()
        gevent.joinall(self._restarts, raise_error=True)
        refused = sum(self._refused_before) + sum(self._settle())
        refused -= sum(charge.status == 503 for charge in trip.strangers)
        return Run(
            trip,
            [visits(site.log_file) for site in self._sites],
            round(refused),
            self._ready_again,
            others_share,
        )

    def _sessions(self) -> set[int]:
        """Each process leads a session of its own."""
        return {process.pid for process in (self._balancer, *self._sites) if process.running}

    def _start(self) -> None:
        for site in self._sites:
            site.start()
        for site in self._sites:
            site.wait_until(partial(site.answers, "/readyz"), _START_TIMEOUT_S)
        self._balancer.start()
        self._balancer.wait_until(
            lambda: self._rival.not_ready(self._balancer, self._place), _START_TIMEOUT_S
        )

    def _end(self) -> None:
        for process in (self._balancer, *self._sites):
            process.kill()

    def _befall(self, fault: Fault) -> None:
        site = self._sites[fault.site]
        match fault.what:
            case "is killed":
                self._refused_before[fault.site] += scrape(site.url)[_REFUSED]
                site.kill()
            case "freezes":
                site.freeze()
            case "thaws":
                site.thaw()
            case "starts":
                site.start()
                self._restarts.append(gevent.spawn(self._note_when_ready, fault.site))

    def _note_when_ready(self, number: int) -> None:
        site = self._sites[number]
        site.wait_until(partial(site.answers, "/readyz"), _START_TIMEOUT_S)
        self._ready_again[number] = self.traffic.now

    def _settle(self) -> list[float]:
        """Wait until every site is empty, so that all is in its log; return what each refused."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        alive = [site for site in self._sites if site.running]
        while any(scrape(site.url)[_LOAD] for site in alive) and time.monotonic() < deadline:
            gevent.sleep(0.05)
        return [scrape(site.url)[_REFUSED] for site in alive]


def _substation(site: PlacedSite, folder: Path, time_scale: float) -> Process:
    return service(
        site.name,
        "substation_service",
        env={
            "SUBSTATION_NAME": site.name,
            "CHARGING_POINTS": str(site.capacity),
            "POINT_POWER_KW": f"{site.point_power_kw:g}",
            "POWER_LIMIT_KW": f"{site.power_limit_kw:g}",
            "TIME_SCALE": f"{time_scale:g}",
        },
        port=site.port,
        log=folder / f"{site.name}.log",
    )
