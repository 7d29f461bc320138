"""Charges of no length, sent as fast as they are answered: the cost of the hops themselves."""

import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from benchmarks.harness import meter
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import POINT_POWER_KW
from benchmarks.harness.meter import HasPid
from local_stack.process import Process

# So little energy, with such a fast clock, that a charge ends as soon as it begins.
KWH = 0.0001
TIME_SCALE = 100_000_000.0
KWH_PER_S = POINT_POWER_KW * TIME_SCALE / 3600
POINTS = (64,)  # more than vehicles arrive at a time, so that none waits
_WARM_UP_S = 1
_SCRIPT = """\
wrk.method = "POST"
wrk.body = '{"kwh": %g}'
wrk.headers["Content-Type"] = "application/json"
"""
# A separate key for each charge.
_KEYED = """\
local sent = 0
request = function()
    sent = sent + 1
    wrk.headers["Idempotency-Key"] = "%s-" .. sent
    return wrk.format()
end
"""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Rush:
    """Charges of no length, sent as fast as they are answered."""

    at_a_time: int
    per_s: float
    p50_s: float
    p99_s: float
    cpu_s: dict[str, float]  # CPU time per charge, by part
    machine_busy: float  # share of all CPUs in use, by any program


@dataclass(frozen=True, slots=True)
class Hops:
    """The processes of a running topology."""

    gateway: Process | None
    balancer: Process | None
    substations: Sequence[Process]
    database: HasPid | None = None

    @property
    def entry(self) -> Process:
        """The process to which charges are sent."""
        return self.gateway or self.balancer or self.substations[0]

    @property
    def url(self) -> str:
        """Its URL."""
        return self.entry.url

    @property
    def parts(self) -> dict[str, list[HasPid]]:
        """The processes by hop, starting on the caller's side, and the ledger's server."""
        named: dict[str, list[HasPid | None]] = {
            "gateway": [self.gateway],
            "balancer": [self.balancer],
            "substation": [*self.substations],
            "database": [self.database],
        }
        running = {name: [one for one in some if one] for name, some in named.items()}
        return {name: some for name, some in running.items() if some}


class _HasRate(Protocol):
    @property
    def per_s(self) -> float: ...


R = TypeVar("R", bound=_HasRate)


def median_round(rounds: Sequence[R]) -> R:
    """Return the round with the median rate; of an even number the lower one in the middle."""
    return sorted(rounds, key=lambda one: one.per_s)[(len(rounds) - 1) // 2]


def missing() -> str | None:
    """Return what is not installed to measure this."""
    return None if shutil.which("wrk") else "wrk is not installed (apt-get install wrk)"


def rush(hops: Hops, folder: Path, *, at_a_time: int, seconds: int, keyed: bool = False) -> Rush:
    """Send charges to a topology.

    Args:
        hops: the running topology.
        folder: directory of the script.
        at_a_time: number of vehicles; each returns once it is charged.
        seconds: duration.
        keyed: whether each charge has its own `Idempotency-Key`.

    Raises:
        CannotMeasure: not every vehicle was charged, or wrk did not run.
    """
    script = folder / "charge.lua"
    _write(script, keyed=keyed)
    _wrk(script, hops.url, at_a_time, _WARM_UP_S)
    before = {name: meter.cpu_s(processes) for name, processes in hops.parts.items()}
    _write(script, keyed=keyed)
    used, had = meter.machine_s()
    said = _wrk(script, hops.url, at_a_time, seconds)
    after = {name: meter.cpu_s(processes) for name, processes in hops.parts.items()}
    used_after, had_after = meter.machine_s()
    charged = int(_found(r"(\d+) requests in", said))
    if not charged:
        raise CannotMeasure(f"wrk, {hops.url}: no vehicle was charged within {seconds} s")
    return Rush(
        at_a_time=at_a_time,
        per_s=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        p50_s=_seconds(_found(r"^\s+50%\s+(\S+)", said)),
        p99_s=_seconds(_found(r"^\s+99%\s+(\S+)", said)),
        cpu_s={name: (after[name] - before[name]) / charged for name in before},
        machine_busy=(used_after - used) / (had_after - had),
    )


def _write(script: Path, *, keyed: bool) -> None:
    text = _SCRIPT % KWH + (_KEYED % secrets.token_hex(8) if keyed else "")
    script.write_text(text, encoding="utf-8")


def _wrk(script: Path, url: str, at_a_time: int, seconds: int) -> str:
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(at_a_time)),
            *("--duration", f"{seconds}s", "--timeout", "30s", "--latency"),
            *("--script", str(script), f"{url}/charge"),
        ],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise CannotMeasure(
            f"wrk, {url}: not every vehicle was charged:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said, re.MULTILINE)
    if match is None:
        raise CannotMeasure(f"wrk did not say {pattern}:\n{said}")
    return match[1]


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr] # wrk's form
    return float(number) * _UNITS[unit]
