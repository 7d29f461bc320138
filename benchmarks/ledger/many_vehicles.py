"""Thousands of vehicles at once, of each kind, and restarts of the balancer meanwhile."""

import http.client
import json
import secrets
import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.harness import databases, meter
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import free_grid, registers
from benchmarks.harness.reconciliation import Register
from local_stack.grid import Grid
from local_stack.process import Process

PLAIN, KEYED, ASYNC = "plain", "keyed", "async"
MANNERS = (PLAIN, KEYED, ASYNC)
_SUBSTATIONS = 3
_KWH = 10.0
_ARRIVALS_PER_S = 300.0
_WARM_UP = 50
# How long vehicles charge after the last arrival: time for measurements and two restarts, seconds.
_AFTER_ARRIVALS_S = {PLAIN: 30.0, KEYED: 170.0, ASYNC: 170.0}
_DRAIN_S = 5.0
# Maximum time until a restarted balancer leads them all, and until the last is charged, seconds.
_LED_WITHIN_S, _LAST_WITHIN_S = 120.0, 240.0
_LISTS = 20


@dataclass
class ManyVehicles:
    """The results.

    Attributes:
        manner: one of `MANNERS`.
        vehicles, charged: how many arrived, and how many were charged.
        memory_kb: memory per vehicle, by hop, KB.
        list_ms: maximum time for a page of the open sessions while all were held.
        stop_ms: time for a stop.
        restarts: by kind, time from the balancer's end until it led every session again, seconds.
        longest_pause_s: longest interruption of a charge at its substation.
        latest_s: longest time from the end of a charge until it was in the ledger.
        troubles: errors, in words.
    """

    manner: str
    vehicles: int
    charged: int = 0
    memory_kb: dict[str, float] = field(default_factory=dict)
    list_ms: float = 0.0
    stop_ms: float = 0.0
    restarts: dict[str, float] = field(default_factory=dict)
    longest_pause_s: float = 0.0
    latest_s: float = 0.0
    troubles: list[str] = field(default_factory=list)


def hold(manner: str, vehicles: int) -> ManyVehicles:
    """Let vehicles charge at once, with the ledger in a file and journals on disk.

    Args:
        manner: one of `MANNERS`; the balancer is restarted meanwhile, except with plain ones.
        vehicles: how many.

    Raises:
        StartError: a part did not start.
        CannotMeasure: not all of them were charging at once.
    """
    share = min(1.0, 0.3 + vehicles / 9_000)
    charging_s = vehicles / _ARRIVALS_PER_S * 1.3 + share * _AFTER_ARRIVALS_S[manner]
    kwh_per_s = _KWH / charging_s
    points = [vehicles // _SUBSTATIONS + _WARM_UP] * _SUBSTATIONS
    drain = {"DRAIN_TIMEOUT": f"{_DRAIN_S:g}"}
    with (
        databases.folder_of("many") as folder,
        free_grid(folder, points, kwh_per_s, balancer_env=drain) as grid,
    ):
        return _Scene(grid, ManyVehicles(manner, vehicles), kwh_per_s).play()


class _Scene:
    def __init__(self, grid: Grid, found: ManyVehicles, kwh_per_s: float) -> None:
        self._grid, self._found, self._kwh_per_s = grid, found, kwh_per_s
        self._hops = {
            "gateway": [grid.gateway],
            "balancer": [grid.balancer],
            "substation": list(grid.substations),
        }

    def play(self) -> ManyVehicles:
        found, grid = self._found, self._grid
        callers = _Callers(grid.gateway, found.manner)
        callers.come(_WARM_UP, kwh=0.01)
        callers.finish(60)
        before = self._memory()
        callers.come(found.vehicles, kwh=_KWH)
        self._wait_until_led(_LED_WITHIN_S, found.vehicles)
        found.memory_kb = {
            hop: round((now - before[hop]) / found.vehicles / 1024, 1)
            for hop, now in self._memory().items()
        }
        found.list_ms = round(max(self._timed_list() for _ in range(_LISTS)), 1)
        if found.manner != PLAIN:
            for how, end in (("SIGKILL", grid.balancer.kill), ("SIGTERM", self._stop)):
                found.restarts[how] = self._restart(end, found.vehicles)
            found.stop_ms = self._timed_stop()
        callers.finish(_LAST_WITHIN_S)
        self._wait_until_written()
        found.troubles += callers.troubles
        self._compare()
        return found

    def _memory(self) -> Mapping[str, int]:
        return {hop: meter.memory_bytes(parts) for hop, parts in self._hops.items()}

    def _stop(self) -> None:
        self._grid.balancer.stop()

    def _restart(self, end: Callable[[], None], vehicles: int) -> float:
        began = time.monotonic()
        end()
        self._grid.balancer.start()
        self._wait_until_led(_LED_WITHIN_S, vehicles)
        return round(time.monotonic() - began, 1)

    def _wait_until_led(self, within_s: float, vehicles: int) -> None:
        """Wait until all are charging, and the balancer has each in flight."""
        deadline = time.monotonic() + within_s
        charging = led = 0
        while time.monotonic() < deadline:
            try:
                substations = self._grid.get("/substations", of=self._grid.balancer)["substations"]
                charging = sum(int(one["gauge"] or 0) for one in substations)
                led = sum(int(one["own_load"]) for one in substations)
            except OSError:  # it is starting, or busy
                pass
            if min(charging, led) >= vehicles:
                return
            time.sleep(0.2)
        raise CannotMeasure(f"{charging} of {vehicles} charge, {led} of them led by the balancer")

    def _timed_list(self) -> float:
        began = time.perf_counter()
        self._grid.get("/sessions?state=open&limit=100")
        return 1000 * (time.perf_counter() - began)

    def _timed_stop(self) -> float:
        """Stop one session, which is then not charged; return how long that took, ms."""
        page = self._grid.get("/sessions?state=open&limit=1")["sessions"]
        if not page:
            self._found.troubles.append("no session was open any more")
            return 0.0
        connection = http.client.HTTPConnection("127.0.0.1", self._grid.gateway.port, timeout=30)
        began = time.perf_counter()
        connection.request("DELETE", f"/sessions/{page[0]['session_id']}")
        answer = json.loads(connection.getresponse().read())
        took = round(1000 * (time.perf_counter() - began), 1)
        if answer.get("state") != "stopped":
            self._found.troubles.append(f"a stop was answered {answer}")
        return took

    def _wait_until_written(self) -> None:
        deadline = time.monotonic() + _LAST_WITHIN_S
        while time.monotonic() < deadline:
            if not self._grid.get("/sessions?state=open&limit=1")["sessions"]:
                return
            time.sleep(0.2)
        self._found.troubles.append("not every session has its end")

    def _compare(self) -> None:
        found = self._found
        legs: defaultdict[str, list[Register]] = defaultdict(list)
        for by_session in registers(self._grid).values():
            for session_id, register in by_session.items():
                legs[session_id].append(register)
        rows = [row for row in self._grid.sessions(self._grid.gateway) if row["kwh"] == _KWH]
        stopped = 0
        for row in rows:
            parts = legs[row["session_id"]]
            metered = sum(part.kwh for part in parts)
            found.charged += row["state"] == "charged"
            stopped += row["state"] == "stopped" and row["reason"] == "stopped by its caller"
            wanted = _KWH if row["state"] == "charged" else row["energy_kwh"] or 0.0
            if abs(metered - wanted) > 0.0005:
                found.troubles.append(
                    f"{row['session_id']}, {row['state']}: {metered} kWh metered, {wanted} wanted"
                )
            for part in parts:
                pause_s = part.ended - part.began - part.kwh / self._kwh_per_s
                found.longest_pause_s = round(max(found.longest_pause_s, pause_s), 2)
                late_s = datetime.fromisoformat(row["ended"]).timestamp() - part.ended
                found.latest_s = round(max(found.latest_s, late_s), 2)
        wanted_stops = int(found.manner != PLAIN)
        if len(rows) != found.vehicles or stopped != wanted_stops:
            found.troubles.append(f"{len(rows)} sessions, {stopped} stopped by their callers")
        if found.charged + stopped != found.vehicles:
            found.troubles.append(f"{found.charged} of {found.vehicles} charged")


class _Callers:
    """All vehicles, served by this one thread; each waits on its own connection."""

    def __init__(self, gateway: Process, manner: str) -> None:
        self._address = ("127.0.0.1", gateway.port)
        self._manner = manner
        self._selector = selectors.DefaultSelector()
        self._waiting = 0
        self.troubles: list[str] = []

    def come(self, count: int, *, kwh: float) -> None:
        """Arrive one after the other."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        for number in range(count):
            time.sleep(max(0.0, began + number / _ARRIVALS_PER_S - time.monotonic()))
            body = b'{"kwh": %g}' % kwh
            if self._manner == ASYNC:
                self._accepted(connection, body)
            else:
                self._held(body)
        connection.close()

    def _accepted(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "Prefer": "respond-async",
            "Idempotency-Key": secrets.token_hex(8),
        }
        connection.request("POST", "/charge", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.HTTPStatus.ACCEPTED:
            self.troubles.append(f"answered {answer.status} {said[:200]!r}")

    def _held(self, body: bytes) -> None:
        line = socket.create_connection(self._address, timeout=30)
        key = f"Idempotency-Key: {secrets.token_hex(8)}\r\n" if self._manner == KEYED else ""
        line.sendall(
            f"POST /charge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{key}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        self._selector.register(line, selectors.EVENT_READ)
        self._waiting += 1

    def finish(self, within_s: float) -> None:
        """Wait until each waiting vehicle has its response."""
        deadline = time.monotonic() + within_s
        while self._waiting and time.monotonic() < deadline:
            for key, _ in self._selector.select(1.0):
                line = key.fileobj
                assert isinstance(line, socket.socket)  # noqa: S101 - as registered
                said = line.recv(65_536)  # a response is one packet here
                if b" 200 " not in said[:20] or not _ended(said):
                    self.troubles.append(f"answered {said[:300]!r}")
                self._selector.unregister(line)
                line.close()
                self._waiting -= 1
        if self._waiting:
            self.troubles.append(f"{self._waiting} were not answered")


def _ended(said: bytes) -> bool:
    document = json.loads(said.partition(b"\r\n\r\n")[2])
    return document["status"] in ("charged", "stopped")
