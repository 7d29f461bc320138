"""A rush hour on demand: many vehicles that arrive within a short time.

It runs inside the gateway because a browser opens only about six connections to a host, and each
vehicle holds one while it charges.
"""

import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import gevent
import orjson
from gevent import GreenletExit
from gevent.pool import Group

from charge_request_service.access_log import AccessLog
from charge_request_service.control_room.rush_hour_request import RushHourRequest
from charge_request_service.sessions.record import new_session_id
from charge_request_service.sessions.sessions import Sessions
from grid_common.api.charge import Session
from grid_common.api.problems import Problem
from grid_common.drain import Drain
from grid_common.http.client import UpstreamResponse
from grid_common.logs import Log

# The status that the gateway counts for a disconnected caller.
_DISCONNECTED = 499
# Disconnecting only closes sockets, seconds.
_DISCONNECT_TIMEOUT_S = 5.0


class AlreadyRunning(Problem):
    """Only one rush hour can run at a time."""

    status = HTTPStatus.CONFLICT
    type = "urn:ev-grid:problem:rush-hour-running"
    title = "A rush hour is running"


def arrival_times(vehicles: int, over_s: float) -> list[float]:
    """Return when each vehicle arrives, seconds from the start, in order.

    Arrivals ramp up to the middle and down again, so that the peak rate is twice the mean: evenly
    spaced quantiles of a triangular distribution.
    """
    times = []
    for number in range(vehicles):
        share = (number + 0.5) / vehicles
        part = math.sqrt(share / 2) if share < 0.5 else 1 - math.sqrt((1 - share) / 2)
        times.append(over_s * part)
    return times


class State(StrEnum):
    """The state of a rush hour."""

    IDLE = "idle"  # there has been none yet
    RUNNING = "running"
    STOPPING = "stopping"  # disconnecting its vehicles
    STOPPED = "stopped"  # ended early, on demand or because the gateway drains
    FINISHED = "finished"  # every vehicle got its response


@dataclass
class RushHour:
    """The progress of one rush hour. Pure: the clock is passed in, in seconds."""

    rush_request: RushHourRequest | None = None
    began: float = 0.0
    state: State = State.IDLE
    arrived: int = 0
    charged: int = 0
    lost: int = 0
    disconnected: int = 0
    why_lost: str | None = None
    ended: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is still running, so that another must wait."""
        return self.state in (State.RUNNING, State.STOPPING)

    @property
    def in_progress(self) -> int:
        """Number of vehicles that are waiting for a point or charging."""
        return self.arrived - self.charged - self.lost - self.disconnected

    def end_vehicle(self, status: int, why: str | None = None) -> None:
        """Count a vehicle's response; `why` says what was wrong if it was not charged."""
        if status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            self.charged += 1
        elif status == _DISCONNECTED:
            self.disconnected += 1
        else:
            self.lost += 1
            self.why_lost = why

    def end(self, state: State, now: float) -> None:
        """Note how and when it ended."""
        self.state = state
        self.ended = now

    def document(self, now: float) -> dict[str, Any]:
        """Return the response of `GET /rush-hour`."""
        asked: dict[str, Any] = {"vehicles": 0, "kwh": None, "over_s": None}
        elapsed_s = 0.0
        if self.rush_request:
            asked = self.rush_request.model_dump()
            elapsed_s = (now if self.ended is None else self.ended) - self.began
        return {
            "state": self.state.value,
            **asked,
            "arrived": self.arrived,
            "in_progress": self.in_progress,
            "charged": self.charged,
            "lost": self.lost,
            "hung_up": self.disconnected,
            "why_lost": self.why_lost,
            "elapsed_s": round(elapsed_s, 3),
        }


class RushHours:
    """Runs rush hours, one at a time. Their vehicles count like any other's."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        max_wait_s: float,
        drain: Drain,
        access_log: AccessLog,
        log: Log,
    ) -> None:
        """Prepare; nothing runs until `start`. Each vehicle waits at most `max_wait_s` seconds."""
        self._sessions = sessions
        self._max_wait_s = max_wait_s
        self._drain = drain
        self._access_log = access_log
        self._log = log
        self._rush = RushHour()
        self._arrivals = Group()
        self._vehicles = Group()

    def document(self) -> dict[str, Any]:
        """Return the response of `GET /rush-hour`."""
        return self._rush.document(time.monotonic())

    def start(
        self, rush_request: RushHourRequest, *, request_id: str, caller: Mapping[str, str]
    ) -> None:
        """Start a rush hour; `caller` has the log fields that identify the caller.

        Raises:
            AlreadyRunning: the last one has not ended.
            Unavailable: the service is draining.
        """
        with self._drain.vehicle():  # refuses while draining
            if self._rush.is_on:
                raise AlreadyRunning(
                    "One rush hour runs at a time: wait for its end, or stop it with "
                    "DELETE /rush-hour."
                )
            self._rush = RushHour(rush_request, time.monotonic(), State.RUNNING)
        self._log.info(
            "rush hour began", request_id=request_id, **rush_request.model_dump(), **caller
        )
        owner = caller.get("caller", "")
        self._arrivals.spawn(self._run, self._rush, rush_request, request_id, owner)

    def stop(self, *, request_id: str, caller: Mapping[str, str]) -> None:
        """Stop the rush hour: no more vehicles arrive, and those in progress are disconnected.

        `caller` has the log fields that identify the caller.
        """
        rush = self._rush
        if rush.state is not State.RUNNING:
            return
        rush.state = State.STOPPING
        self._log.info("rush hour stopped", request_id=request_id, **caller)
        self._arrivals.kill(timeout=_DISCONNECT_TIMEOUT_S)
        self._vehicles.kill(timeout=_DISCONNECT_TIMEOUT_S)
        self._end(rush, State.STOPPED)

    def _run(
        self, rush: RushHour, rush_request: RushHourRequest, request_id: str, owner: str
    ) -> None:
        name = f"RUSH-{secrets.token_hex(2)}"
        for number, due_s in enumerate(
            arrival_times(rush_request.vehicles, rush_request.over_s), start=1
        ):
            gevent.sleep(max(0.0, rush.began + due_s - time.monotonic()))
            if self._drain.active:
                break  # vehicles that have arrived are finished, like any other
            session_id = new_session_id(time.time_ns() // 1_000_000)
            session = Session(session_id, f"{name}-{number:03}", rush_request.kwh)
            self._vehicles.spawn(self._vehicle, rush, session, request_id, owner)
        self._vehicles.join()
        self._end(rush, State.FINISHED if rush.arrived == rush_request.vehicles else State.STOPPED)

    def _vehicle(self, rush: RushHour, session: Session, request_id: str, owner: str) -> None:
        if self._drain.active:
            return
        began = time.perf_counter()
        status, why = int(HTTPStatus.INTERNAL_SERVER_ERROR), "the gateway met an unexpected error"
        response = None
        with self._drain.vehicle():
            rush.arrived += 1
            try:
                begin = self._sessions.begin(
                    session, owner=owner, wait_s=self._max_wait_s, vehicle_id=session.vehicle_id
                )
                response = self._sessions.charge_plain(begin, session, request_id=request_id)
                status, why = response.status, _detail(response)
            except Problem as problem:
                status, why = int(problem.status), problem.detail
            except GreenletExit:
                status, why = _DISCONNECTED, "the rush hour was stopped"
            except Exception:
                self._log.exception("unexpected error", request_id=request_id)
            finally:
                rush.end_vehicle(status, why)
        self._access_log.answered(
            session,
            request_id=request_id,
            status=status,
            took_s=time.perf_counter() - began,
            why=None if response else why,
            caller={},
        )

    def _end(self, rush: RushHour, state: State) -> None:
        rush.end(state, time.monotonic())
        self._log.info("rush hour ended", **self.document())


def _detail(response: UpstreamResponse) -> str:
    """Return what went wrong according to a response, which should be a problem document."""
    try:
        return str(orjson.loads(response.body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the balancer answered {response.status}"
