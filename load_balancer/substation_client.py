"""The balancer's client of one substation: charges in its own way, and queries its registers.

A substation of this project keeps a register of each session (docs/your-own-substations.md). A
third-party one answers queries for them with 404: it is charged at as usual, and reports 0.
"""

import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from grid_common.api.charge import Session
from grid_common.api.session_headers import GRACE, LEASE, OWNER
from grid_common.http.client import ProtocolError, Upstream, UpstreamResponse
from load_balancer.profile import SubstationProfile
from load_balancer.routing.outcome import Outcome, outcome_of, says_stopped

# Only a few members of a response's body are used, and thousands of responses that take hours must
# not fill the memory.
_KEPT_BYTES = 4_096
# A substation reports what is charging, and some 10,000 sessions that ended. A response with more
# sessions, or more bytes, is invalid: to read a million would block everyone for seconds.
_MAX_REPORTED = 20_000
_PROGRESS_LIMIT = 2_097_152


@dataclass
class Owner:
    """The balancer, as substations know it."""

    name: str
    interval_s: float  # between two of its heartbeats, seconds
    # Silence after which a substation stops the sessions that this balancer leads, seconds.
    lease_s: float


class SessionReport(NamedTuple):
    """A substation's report of a session."""

    state: str
    kwh: float
    power_kw: float | None = None
    ends_in_s: float | None = None
    age_s: float = 0.0  # of its energy, when it was queried


class SubstationClient:
    """The client of one address."""

    def __init__(
        self, address: str, upstream: Upstream, profile: SubstationProfile, owner: Owner
    ) -> None:
        self.profile = profile  # may change while vehicles charge
        self.register = address  # ID of its register set; the address until the ID is known
        self.keeps_registers: bool | None = None  # None: not known yet
        self.is_known = False  # the two above are valid, unless it has restarted since
        self.progress_cpu_s = 0.0  # CPU time to read its last progress
        self.progress_age_s = 0.0  # age of the energies in it, when it was queried
        # When this balancer last sent it a heartbeat: its leases begin then.
        self.last_heartbeat_at = time.monotonic()
        self._upstream = upstream
        self.heartbeat_interval_s = owner.interval_s  # as promised with the last charge
        self._owner = owner
        self._owner_header = {OWNER: owner.name}
        self._charge = {"Content-Type": "application/json", **self._owner_header}

    def charge(
        self, session: Session, *, request_id: str, grace_s: float | None = None
    ) -> tuple[Outcome, UpstreamResponse]:
        """Send a vehicle, wait for the response, and return it with its meaning.

        Args:
            session: its register is to reach its kWh.
            request_id: ID of the request in all log lines.
            grace_s: how long it continues when this connection is gone, seconds; None stops it.

        Raises:
            UpstreamError: there is no response.
        """
        profile = self.profile
        call = profile.call(session)
        owner = self._owner
        self.heartbeat_interval_s = owner.interval_s
        self.last_heartbeat_at = time.monotonic()
        headers = {"X-Request-ID": request_id, **self._charge, LEASE: f"{owner.lease_s:.3f}"}
        if grace_s is not None:
            headers[GRACE] = f"{grace_s:g}"
        response = self._upstream.request(
            "POST", call.path, body=call.body, headers=headers, keep=_KEPT_BYTES
        )
        outcome = outcome_of(response.status, response.content_type, response.body)
        if outcome is Outcome.CHARGED:
            if profile.answer == "accepted":
                outcome = Outcome.ACCEPTED
            elif self.keeps_registers and says_stopped(response.body):
                outcome = Outcome.STOPPED
        return outcome, response

    def progress(self, within_s: float) -> dict[str, float] | None:
        """Query the registers of all that are charging there; None if it keeps none.

        The query is also this balancer's heartbeat.

        Raises:
            UpstreamError: there is no response.
        """
        response = self._ask("GET", "/progress", within_s, limit=_PROGRESS_LIMIT)
        self.last_heartbeat_at = time.monotonic()
        began = time.thread_time()
        try:
            return self._read_progress(response)
        finally:
            self.progress_cpu_s = time.thread_time() - began

    def _read_progress(self, response: UpstreamResponse) -> dict[str, float] | None:
        document = _document(response) if response.status == 200 else None
        sessions = document.get("sessions") if document is not None else None
        if document is None or not isinstance(sessions, dict):
            # A substation with registers that cannot report them now still has them.
            self.keeps_registers = bool(self.keeps_registers) and response.status >= 500
            self.is_known = not self.keeps_registers
            return None
        if len(sessions) > _MAX_REPORTED:
            raise ProtocolError(f"its progress has over {_MAX_REPORTED:,} sessions")
        self.progress_age_s = _age_s(document)
        register = document.get("register")
        if isinstance(register, str) and 0 < len(register) <= 64:
            self.register = register
        self.keeps_registers = self.is_known = True
        return {key: kwh for key, kwh in sessions.items() if _is_amount(kwh)}

    def ask(self, session_id: str, within_s: float) -> SessionReport | None:
        """Query its report of a session; None if it does not know it.

        Raises:
            UpstreamError: there is no response.
        """
        return _report(self._ask("GET", f"/sessions/{session_id}", within_s))

    def stop(self, session_id: str, within_s: float) -> SessionReport | None:
        """Stop a session there and return its final report; None if it does not know it.

        Raises:
            UpstreamError: there is no response.
        """
        return _report(self._ask("DELETE", f"/sessions/{session_id}", within_s))

    def _ask(
        self, method: str, path: str, within_s: float, limit: int = 65_536
    ) -> UpstreamResponse:
        return self._upstream.request(
            method, path, headers=self._owner_header, within_s=within_s, limit=limit
        )

    def close(self) -> None:
        """Close the connections; those with vehicles once their responses have arrived."""
        self._upstream.close()


def _document(response: UpstreamResponse) -> dict[str, Any] | None:
    try:
        document = orjson.loads(response.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _report(response: UpstreamResponse) -> SessionReport | None:
    if response.status == 404:
        return None
    document = _document(response) if response.status == 200 else None
    if document is None or not _is_amount(document.get("energy_kwh")):
        raise ProtocolError(f"answered {response.status} when asked for a session")
    reported: list[Any] = [document.get(name) for name in ("power_kw", "predicted_s")]
    power_kw, ends_in_s = (float(value) if _is_amount(value) else None for value in reported)
    state = document.get("state", document.get("status"))
    return SessionReport(
        str(state), float(document["energy_kwh"]), power_kw, ends_in_s, _age_s(document)
    )


def _age_s(document: dict[str, Any]) -> float:
    age_s = document.get("age_s", 0)
    if not _is_amount(age_s):
        raise ProtocolError(f"its age_s is {age_s!r:.40}, and not a number of seconds")
    return float(age_s)


def _is_amount(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )
