"""Thousands of keys, each sent several times at once, and again after kills: one session each."""

import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from benchmarks.harness import databases
from benchmarks.harness.grid import free_grid, registers, total_kwh
from local_stack.grid import Grid
from local_stack.process import Process

AT_ONCE = 5
_CALLERS = 24
_POINTS = (60, 60, 60)
# A point delivers this many kWh in a second: a charge takes a tenth of one.
_KWH_PER_S, _KWH = 1.0, 0.1
# For one in this many keys, all callers disconnect while it is charging.
_ONE_IN, _DISCONNECT_AFTER_S = 10, 0.03
_KILLS = ("charge_request_service", "load_balancer", "substation1", "charge_request_service")
_WITHIN_S = 60.0
_ASK_AGAIN_S = 0.05
_MAX_TROUBLES = 20


@dataclass
class Keys:
    """The results.

    Attributes:
        keys: number of keys.
        answers: number of responses by kind: `charged`, `running` (409 with Location), `replayed`
            (the same bytes as before), `another body` (422), `unavailable` (503), `broken off`.
        taken_over: keys that were answered after all of their callers had disconnected.
        kills: number of parts that were killed.
        sessions: rows in the ledger.
        kwh_asked, kwh_metered: of all keys together, and by the meters.
        seconds: duration.
        troubles: errors, in words.
    """

    keys: int
    answers: dict[str, int] = field(default_factory=dict)
    taken_over: int = 0
    kills: int = 0
    sessions: int = 0
    kwh_asked: float = 0.0
    kwh_metered: float = 0.0
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)


class Reported(NamedTuple):
    """A response."""

    status: int
    body: bytes
    location: str | None
    replayed: bool


def send(kind: str, keys: int) -> Keys:
    """Send keys to a grid whose parts are killed, and compare.

    Args:
        kind: one of `databases.KINDS`.
        keys: how many.

    Raises:
        StartError: a part did not start.
        CannotMeasure: PostgreSQL is not installed.
    """
    with databases.folder_of("keys") as folder, databases.empty(kind, folder) as url:
        env, gateway_env = {"MAX_WAIT": "600"}, {"LEDGER_URL": url, "RATE_LIMIT": ""}
        with free_grid(folder, _POINTS, _KWH_PER_S, env=env, gateway_env=gateway_env) as grid:
            return _Scene(grid, keys).play()


class _Scene:
    def __init__(self, grid: Grid, keys: int) -> None:
        self._grid = grid
        self._keys = [f"key-{secrets.token_hex(8)}" for _ in range(keys)]
        self._found = Keys(keys)
        self._bodies: dict[str, bytes] = {}
        self._sessions: dict[str, set[str]] = {key: set() for key in self._keys}
        self._mutex = threading.Lock()

    def play(self) -> Keys:
        found, began = self._found, time.monotonic()
        threads = self._start(self._first)
        for number, name in enumerate(_KILLS, 1):
            self._wait_for(threads, number * len(self._keys) // (len(_KILLS) + 1))
            self._kill(name)
        for thread in threads:
            thread.join()
        self._kill("charge_request_service")
        for thread in self._start(self._again):
            thread.join()
        self._compare()
        found.seconds = round(time.monotonic() - began, 1)
        del found.troubles[_MAX_TROUBLES:]
        return found

    def _start(self, work: Callable[["_Lines", str], None]) -> list[threading.Thread]:
        """Start callers that do some work for each key."""
        left = iter(self._keys)

        def run() -> None:
            lines = _Lines(self._grid.gateway)
            while True:
                with self._mutex:
                    key = next(left, None)
                if key is None:
                    return
                try:
                    work(lines, key)
                except Exception as error:  # reported, not lost with the thread
                    self._wrong(key, repr(error))

        threads = [threading.Thread(target=run, daemon=True) for _ in range(_CALLERS)]
        for thread in threads:
            thread.start()
        return threads

    def _wait_for(self, threads: Sequence[threading.Thread], answered: int) -> None:
        while len(self._bodies) < answered and any(one.is_alive() for one in threads):
            time.sleep(0.01)

    def _kill(self, name: str) -> None:
        [part] = [one for one in self._grid.services if one.name == name]
        part.kill()
        part.start()
        part.wait_until(part.missing, _WITHIN_S)
        self._found.kills += 1

    def _first(self, lines: "_Lines", key: str) -> None:
        """Send a key several times at once, then until there is a response."""
        disconnects = int(key[-4:], 16) % _ONE_IN == 0
        if disconnects:
            lines.disconnect(key, _KWH, after_s=_DISCONNECT_AFTER_S)
            self._count("disconnected", AT_ONCE)
        else:
            for reported in lines.send(key, _KWH, AT_ONCE):
                self._take(key, reported)
        deadline = time.monotonic() + _WITHIN_S
        while key not in self._bodies:
            [reported] = lines.send(key, _KWH, 1)
            self._take(key, reported)
            if key in self._bodies:
                break
            if time.monotonic() > deadline:
                self._wrong(key, "has no answer")
                return
            time.sleep(_ASK_AGAIN_S)
        if disconnects:
            with self._mutex:
                self._found.taken_over += 1

    def _again(self, lines: "_Lines", key: str) -> None:
        """Send an answered key again, and once with another body."""
        for reported in lines.send(key, _KWH, AT_ONCE):
            self._take(key, reported)
            if reported is None or not reported.replayed:
                self._wrong(key, f"was answered {reported} after its end")
        [reported] = lines.send(key, 2 * _KWH, 1)
        if reported is None or reported.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            self._wrong(key, f"with another body was answered {reported}")
        else:
            self._count("another body")

    def _take(self, key: str, reported: Reported | None) -> None:
        if reported is None:
            self._count("broken off")
            return
        document = json.loads(reported.body)
        if reported.status == HTTPStatus.CONFLICT and reported.location:
            self._count("running")
            self._sessions[key].add(reported.location.removeprefix("/sessions/"))
        elif reported.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._count("unavailable")
        elif reported.status == HTTPStatus.OK and document["status"] == "charged":
            with self._mutex:
                before = self._bodies.setdefault(key, reported.body)
            self._sessions[key].add(document["session_id"])
            if before != reported.body:
                self._wrong(key, f"was answered {before!r}, then {reported.body!r}")
            self._count("replayed" if reported.replayed else "charged")
        else:
            self._wrong(key, f"was answered {reported}")

    def _count(self, what: str, times: int = 1) -> None:
        with self._mutex:
            answers = self._found.answers
            answers[what] = answers.get(what, 0) + times

    def _wrong(self, key: str, text: str) -> None:
        with self._mutex:
            self._found.troubles.append(f"{key} {text}")

    def _compare(self) -> None:
        found = self._found
        rows = list(self._grid.sessions(self._grid.gateway))
        states = {row["session_id"]: row["state"] for row in rows}
        found.sessions = len(rows)
        found.kwh_asked = round(len(self._keys) * _KWH, 3)
        found.kwh_metered = total_kwh(registers(self._grid))
        for key, sessions in self._sessions.items():
            if len(sessions) != 1 or states.get(next(iter(sessions))) != "charged":
                self._wrong(key, f"has the sessions {sessions}")
        if found.sessions != len(self._keys) or found.kwh_asked != found.kwh_metered:
            found.troubles.append(
                f"{found.sessions} sessions of {len(self._keys)} keys; {found.kwh_metered} kWh "
                f"metered of {found.kwh_asked}"
            )


class _Lines:
    """A caller's connections, on which it sends at the same time."""

    def __init__(self, gateway: Process) -> None:
        self._port = gateway.port
        self._open: list[http.client.HTTPConnection] = []

    def send(self, key: str, kwh: float, times: int) -> list[Reported | None]:
        """Send a key this many times at once; None stands for a broken connection."""
        lines = [self._open.pop() if self._open else self._new() for _ in range(times)]
        sent = [self._sent(line, key, kwh) for line in lines]
        return [
            self._read(line) if is_sent else None for line, is_sent in zip(lines, sent, strict=True)
        ]

    def disconnect(self, key: str, kwh: float, *, after_s: float) -> None:
        """Send a key several times at once, and close all connections a moment later."""
        lines = [self._new() for _ in range(AT_ONCE)]
        for line in lines:
            self._sent(line, key, kwh)
        time.sleep(after_s)
        for line in lines:
            line.close()

    def _new(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_WITHIN_S)

    def _sent(self, line: http.client.HTTPConnection, key: str, kwh: float) -> bool:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        try:
            line.request("POST", "/charge", b'{"kwh": %g}' % kwh, headers)
        except OSError:
            line.close()
            return False
        return True

    def _read(self, line: http.client.HTTPConnection) -> Reported | None:
        try:
            answer = line.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            line.close()
            return None
        self._open.append(line)
        replayed = answer.headers.get("Idempotency-Replayed") == "true"
        return Reported(answer.status, body, answer.headers.get("Location"), replayed)
