"""One substation as the balancer asks it: to charge, in its own way, and of its registers.

A substation of this make keeps a register of each session (docs/your-own-substations.md). One of
another make answers 404 where it is asked of them: it is charged at as ever, and its word is 0.
"""

import math
import time
from typing import Any, NamedTuple

import orjson

from grid_common.api.charge import Session
from grid_common.api.session_headers import GRACE, LEASE, OWNER
from grid_common.http.client import ProtocolError, Upstream, UpstreamResponse
from load_balancer.profile import SubstationProfile
from load_balancer.routing.outcome import Outcome, outcome_of, says_stopped

# Of an answer's body only a few members are looked at; thousands of answers that drip in for
# hours must not fill the memory.
_KEPT_BYTES = 4_096
# A substation tells of what charges there, and of some 10,000 sessions that ended: an answer with
# more, or of more bytes, is none. To read a million would hold everyone up for seconds.
_MAX_REPORTED = 20_000
_PROGRESS_LIMIT = 2_097_152


class Owner:
    """The balancer, as substations know it."""

    def __init__(self, name: str, interval_s: float, lease_s: float) -> None:
        self.name = name
        self.promise(interval_s, lease_s)

    def promise(self, interval_s: float, lease_s: float) -> None:
        """Say more often than that that it is there.

        Args:
            interval_s: between two words of it.
            lease_s: of silence, after which a substation stops what this balancer leads there.
        """
        self.interval_s = interval_s
        self.lease = f"{lease_s:.3f}"


class Word(NamedTuple):
    """What a substation says of a session."""

    state: str
    kwh: float
    power_kw: float | None = None
    ends_in_s: float | None = None


class SubstationClient:
    """Asks one address."""

    def __init__(
        self, address: str, upstream: Upstream, profile: SubstationProfile, owner: Owner
    ) -> None:
        self.profile = profile  # may change while vehicles charge
        self.register = address  # names its set of registers; its own id, once that is known
        self.keeps_registers: bool | None = None  # None: not known yet
        self.is_known = False  # what is said above is so, unless it has started again since
        self.progress_cpu_s = 0.0  # what its last progress took to read
        self._upstream = upstream
        self.promised_s = owner.interval_s  # between two words, with the last charge
        self._promises = owner
        self._owner = {OWNER: owner.name}
        self._charge = {"Content-Type": "application/json", **self._owner}

    def charge(
        self, session: Session, *, request_id: str, grace_s: float | None = None
    ) -> tuple[Outcome, UpstreamResponse]:
        """Hand a vehicle over and wait for the answer; tell what it means too.

        Args:
            session: whose register is to be brought to its kWh.
            request_id: passed on.
            grace_s: how long it goes on when this connection is gone; None: not at all.

        Raises:
            UpstreamError: there is no answer.
        """
        profile = self.profile
        call = profile.call(session)
        promises = self._promises
        self.promised_s = promises.interval_s
        headers = {"X-Request-ID": request_id, **self._charge, LEASE: promises.lease}
        if grace_s is not None:
            headers[GRACE] = f"{grace_s:g}"
        answer = self._upstream.request(
            "POST", call.path, body=call.body, headers=headers, keep=_KEPT_BYTES
        )
        outcome = outcome_of(answer.status, answer.content_type, answer.body)
        if outcome is Outcome.CHARGED:
            if profile.answer == "accepted":
                outcome = Outcome.ACCEPTED
            elif self.keeps_registers and says_stopped(answer.body):
                outcome = Outcome.STOPPED
        return outcome, answer

    def progress(self, within_s: float) -> dict[str, float] | None:
        """Ask for the registers of all that charge there; None where it keeps none.

        It is this balancer's sign of life too.

        Raises:
            UpstreamError: there is no answer.
        """
        answer = self._ask("GET", "/progress", within_s, limit=_PROGRESS_LIMIT)
        began = time.thread_time()
        try:
            return self._read_progress(answer)
        finally:
            self.progress_cpu_s = time.thread_time() - began

    def _read_progress(self, answer: UpstreamResponse) -> dict[str, float] | None:
        document = _document(answer) if answer.status == 200 else None
        sessions = document.get("sessions") if document is not None else None
        if document is None or not isinstance(sessions, dict):
            # A substation that knows registers and cannot tell them now is none without them.
            self.keeps_registers = bool(self.keeps_registers) and answer.status >= 500
            self.is_known = not self.keeps_registers
            return None
        if len(sessions) > _MAX_REPORTED:
            raise ProtocolError(f"its progress tells of over {_MAX_REPORTED:,} sessions")
        register = document.get("register")
        if isinstance(register, str) and 0 < len(register) <= 64:
            self.register = register
        self.keeps_registers = self.is_known = True
        return {key: kwh for key, kwh in sessions.items() if _is_energy(kwh)}

    def ask(self, session_id: str, within_s: float) -> Word | None:
        """Ask for its word of a session; None where it knows nothing of it.

        Raises:
            UpstreamError: there is no answer.
        """
        return _word(self._ask("GET", f"/sessions/{session_id}", within_s))

    def stop(self, session_id: str, within_s: float) -> Word | None:
        """Stop a session there, and return its last word of it; None where it knows nothing of it.

        Raises:
            UpstreamError: there is no answer.
        """
        return _word(self._ask("DELETE", f"/sessions/{session_id}", within_s))

    def _ask(
        self, method: str, path: str, within_s: float, limit: int = 65_536
    ) -> UpstreamResponse:
        return self._upstream.request(
            method, path, headers=self._owner, within_s=within_s, limit=limit
        )

    def close(self) -> None:
        """Disconnect, on vehicles once their answers have come."""
        self._upstream.close()


def _document(answer: UpstreamResponse) -> dict[str, Any] | None:
    try:
        document = orjson.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _word(answer: UpstreamResponse) -> Word | None:
    if answer.status == 404:
        return None
    document = _document(answer) if answer.status == 200 else None
    if document is None or not _is_energy(document.get("energy_kwh")):
        raise ProtocolError(f"answered {answer.status} where it was asked of a session")
    reported: list[Any] = [document.get(name) for name in ("power_kw", "predicted_s")]
    power_kw, ends_in_s = (float(value) if _is_energy(value) else None for value in reported)
    state = document.get("state", document.get("status"))
    return Word(str(state), float(document["energy_kwh"]), power_kw, ends_in_s)


def _is_energy(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )
