"""The ledger fails for a while under load: responses, losses, and rows that are written late."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from benchmarks.harness import databases
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import free_grid, registers, total_kwh
from benchmarks.harness.reconciliation import reconcile
from benchmarks.harness.vehicles import Arrivals, Manner, Vehicle
from benchmarks.ledger.faults import Inject, faulty
from local_stack.grid import Grid
from local_stack.scrape import scrape

POINTS = (60, 60, 60)
# A point of 50 kW delivers this many kWh in a second: sessions take from 1 to 40 s, so that many
# charge through the outage, end in it, or begin right before it.
_KWH_PER_S = 1.0
_KWH = (1.0, 40.0)
_RATE_PER_S = 4.0
_BEFORE_S, _AFTER_S = 10.0, 8.0
# Interval of new charges that do not retry, each with another key or without one. Seconds.
_PROBE_EVERY_S, _PROBE_KWH = 0.25, 0.5
_FIRST_REFUSAL_WITHIN_S = 30.0
_LAST_VEHICLES_S = 120.0

# Differs in each run.
_FOLDER = re.compile(r"/tmp/[^/ ]+")  # noqa: S108 - read, not written


@dataclass
class Probes:
    """New charges that do not retry, and the responses to them.

    Attributes:
        refused: 503 responses with a reason and Retry-After, by their detail.
        wrong: unexpected responses.
        taken: sessions that were charged or accepted.
        refusals_at, taken_at: when, by the monotonic clock.
    """

    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    refusals_at: list[float] = field(default_factory=list)
    taken_at: list[float] = field(default_factory=list)


@dataclass
class Outage:
    """The results.

    Attributes:
        kind: one of `faults.KINDS`.
        away_s: how long the ledger was unavailable after the first refusal, seconds.
        refused_after_s: from the fault to the first refusal, seconds.
        taken_after_s: from its end to the first accepted charge, seconds.
        written_after_s: from its end until no row was waiting to be written, seconds.
        running: vehicles that were charging when it began.
        ended: sessions that ended during it, by the substations' meters.
        waiting: maximum number of rows waiting to be written.
        refused: refused new charges, by the detail of the response.
        vehicles, charged, stopped: of those that retry with their keys.
        kwh_metered, kwh_written: by the substations' meters, and in the ledger.
        troubles: differences, in words; empty if nothing was lost.
    """

    kind: str
    away_s: float
    refused_after_s: float
    taken_after_s: float
    written_after_s: float
    running: int
    ended: int
    waiting: int
    refused: dict[str, int]
    vehicles: int = 0
    charged: int = 0
    stopped: int = 0
    kwh_metered: float = 0.0
    kwh_written: float = 0.0
    troubles: list[str] = field(default_factory=list)


def play(kind: str, *, seconds: float) -> Outage:
    """Run a grid under load, make its ledger fail for a while, and compare.

    Args:
        kind: one of `faults.KINDS`.
        seconds: how long, after the first refusal.

    Raises:
        StartError: a part did not start.
        CannotFail: that fault cannot be injected here.
        CannotMeasure: nothing was refused.
    """
    with databases.folder_of("outage") as folder, faulty(kind, folder) as (url, inject):
        env, gateway_env = {"MAX_WAIT": "600"}, {"LEDGER_URL": url}
        with free_grid(folder, POINTS, _KWH_PER_S, env=env, gateway_env=gateway_env) as grid:
            return _Scene(kind, grid, seconds).play(inject)


class _Scene:
    def __init__(self, kind: str, grid: Grid, seconds: float) -> None:
        self._kind, self._grid, self._seconds = kind, grid, seconds
        self._over = threading.Event()
        self._arrivals = Arrivals(grid.url, random.Random("outage"), _RATE_PER_S, _draw)
        self._probes = Probes()

    def play(self, inject: Inject) -> Outage:
        callers = [
            threading.Thread(target=self._probe, args=(key,), daemon=True)
            for key in ("probe-", None)
        ]
        for one in callers:
            one.start()
        with self._arrivals:
            try:
                found, outage = self._fail(inject)
            finally:
                self._over.set()
            for one in callers:
                one.join(_LAST_VEHICLES_S)
            self._arrivals.finish(_LAST_VEHICLES_S)
        self._written(time.monotonic())
        return self._compare(found, outage=outage)

    def _fail(self, inject: Inject) -> tuple[Outage, tuple[float, float]]:
        """Make the ledger fail; return what was seen, and from when to when it failed."""
        time.sleep(_BEFORE_S)
        running, ended_before = self._load(), self._ended()
        injected = time.monotonic()
        waiting = 0
        with inject():
            first = self._first_refusal(injected)
            while (left_s := first + self._seconds - time.monotonic()) > 0:
                waiting = max(waiting, self._waiting())
                time.sleep(min(0.5, left_s))
            ended = self._ended() - ended_before
        mended = time.monotonic()
        written_after_s = self._written(mended)
        time.sleep(max(0.0, mended + _AFTER_S - time.monotonic()))
        taken_after_s = [at - mended for at in self._probes.taken_at if at > mended]
        found = Outage(
            kind=self._kind,
            away_s=round(mended - first, 1),
            refused_after_s=round(first - injected, 2),
            taken_after_s=round(min(taken_after_s, default=0.0), 2),
            written_after_s=round(written_after_s, 2),
            running=running,
            ended=ended,
            waiting=waiting,
            refused=dict(self._probes.refused),
        )
        return found, (first, mended)

    def _first_refusal(self, injected: float) -> float:
        while not self._probes.refusals_at:
            if time.monotonic() - injected > _FIRST_REFUSAL_WITHIN_S:
                raise CannotMeasure(f"{self._kind}: no charge was refused")
            time.sleep(0.02)
        return self._probes.refusals_at[0]

    def _compare(self, found: Outage, *, outage: tuple[float, float]) -> Outage:
        rows = list(self._grid.sessions(self._grid.gateway))
        metered = registers(self._grid)
        probed = set(self._probes.taken)
        own = {
            substation: {name: attempt for name, attempt in one.items() if name not in probed}
            for substation, one in metered.items()
        }
        reconciliation = reconcile(
            self._arrivals.vehicles, rows, own, disconnections=(), lease_kwh=0.0
        )
        found.vehicles, found.charged = reconciliation.vehicles, reconciliation.charged
        found.stopped = reconciliation.stopped
        found.kwh_metered = total_kwh(metered)
        found.kwh_written = round(sum(row["energy_kwh"] or 0.0 for row in rows), 3)
        found.troubles = [
            *(f"{what}: {text}" for what, some in reconciliation.troubles.items() for text in some),
            *(f"a new charge was answered {text}" for text in self._probes.wrong),
            *self._unwritten(rows),
        ]
        if abs(found.kwh_metered - found.kwh_written) > 0.001:
            found.troubles.append(
                f"{found.kwh_written} kWh in the ledger, {found.kwh_metered} on the meters"
            )
        begun = [at for at in self._probes.taken_at if outage[0] + 6 < at < outage[1]]
        if begun:
            found.troubles.append(f"{len(begun)} new charges were taken during the outage")
        return found

    def _unwritten(self, rows: list[dict[str, Any]]) -> Iterator[str]:
        states = {row["session_id"]: row["state"] for row in rows}
        for session_id in self._probes.taken:
            if states.get(session_id) != "charged":
                yield f"session {session_id} was charged; ledger: {states.get(session_id)}"

    # Callers.

    def _probe(self, key: str | None) -> None:
        number = 0
        with requests.Session() as caller:
            caller.trust_env = False
            while not self._over.wait(_PROBE_EVERY_S):
                number += 1
                headers = {} if key is None else {"Idempotency-Key": f"{key}{number}"}
                self._ask(caller, headers)

    def _ask(self, caller: requests.Session, headers: dict[str, str]) -> None:
        probes, began = self._probes, time.monotonic()
        answer = caller.post(
            f"{self._grid.url}/charge", json={"kwh": _PROBE_KWH}, headers=headers, timeout=60
        )
        document = answer.json()
        if answer.status_code == 200 and document["status"] == "charged":
            probes.taken.append(document["session_id"])
            probes.taken_at.append(began)
        elif (
            answer.status_code == 503
            and document["type"] == "urn:ev-grid:problem:ledger-away"
            and float(answer.headers.get("Retry-After", 0)) > 0
        ):
            probes.refused[_FOLDER.sub("/...", document["detail"])] += 1
            probes.refusals_at.append(time.monotonic())
        else:
            probes.wrong.append(f"{answer.status_code} {answer.text[:200]}")

    # Reports of the parts.

    def _load(self) -> int:
        substations = self._grid.substations
        return sum(int(scrape(one.url)["substation_current_load"]) for one in substations)

    def _ended(self) -> int:
        return sum(
            int(value)
            for one in self._grid.substations
            for name, value in scrape(one.url).items()
            if name.startswith("substation_sessions_total")
        )

    def _waiting(self) -> int:
        return int(scrape(self._grid.url)["ledger_waiting_rows"])

    def _written(self, since: float) -> float:
        """Wait until no row is waiting; return how long that took since then, seconds."""
        while time.monotonic() - since < _LAST_VEHICLES_S:
            reported = scrape(self._grid.url)
            if reported["ledger_up"] and not reported["ledger_waiting_rows"]:
                break
            time.sleep(0.05)
        return time.monotonic() - since


def _draw(number: int, rng: random.Random) -> Vehicle:
    return Vehicle(
        number,
        rng.choices(list(Manner), [0.5, 0.35, 0.15])[0],
        round(rng.uniform(*_KWH), 3),
        stop_after_s=rng.uniform(0.0, 20.0),
        doubled=rng.random() < 0.1,
    )
