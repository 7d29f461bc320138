"""What a response to `POST /charge` means for the vehicle. Pure."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from load_tester.text import plain_number
from load_tester.vehicle import Charge, Outcome

ENERGY_TOLERANCE_KWH = 1e-6
_MAX_REASON_LENGTH = 160
_MAX_RETRY_S = 1e6


class HttpResponse(NamedTuple):
    """An HTTP response. `headers` has names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def apply_response(charge: Charge, answer: HttpResponse) -> None:
    """Record a response in a charge; an implausible one counts as failed."""
    charge.status = answer.status
    charge.reason = ""
    charge.replayed = answer.headers.get("idempotency-replayed") == "true"
    document = json_object(answer.body)
    if document is not None and isinstance(document.get("session_id"), str):
        charge.session_id = document["session_id"]
    if answer.status in (200, 202):
        stopped = document is not None and document.get("status") == "stopped"
        outcome = Outcome.CHARGED if answer.status == 200 else Outcome.ACCEPTED
        _apply_success(charge, Outcome.STOPPED if stopped else outcome, document)
    elif answer.status in (429, 503):
        charge.energies = reported_energies(document or {})
        charge.outcome = Outcome.REFUSED
        charge.reason = _problem_text(document) or f"{answer.status} without a problem body"
    else:
        rejected = 400 <= answer.status < 500
        charge.outcome = Outcome.REJECTED if rejected else Outcome.FAILED
        charge.reason = _problem_text(document) or f"answered {answer.status}"


_ENDS = {
    "charged": Outcome.CHARGED,
    "stopped": Outcome.STOPPED,
    "refused": Outcome.REFUSED,
}


def apply_session(charge: Charge, document: dict[str, Any]) -> bool:
    """Record a charge's session from `GET /sessions/ID`; return whether it has ended."""
    state = str(document.get("state"))
    if state not in _ENDS:
        return False
    if state == "refused":
        charge.outcome, charge.energies = Outcome.REFUSED, reported_energies(document)
        charge.reason = _reason(document)
    else:
        _apply_success(charge, _ENDS[state], document)
    return True


def _apply_success(charge: Charge, outcome: Outcome, document: dict[str, Any] | None) -> None:
    energies = {} if document is None else reported_energies(document)
    fault = _fault(charge, document, energies, whole=outcome is Outcome.CHARGED)
    if document is None or fault:
        charge.outcome = Outcome.FAILED
        charge.reason = fault
        return
    charge.outcome, charge.energies = outcome, energies
    if outcome is Outcome.STOPPED:
        charge.reason = _reason(document)
    substation = document.get("substation")
    charge.substation = substation if isinstance(substation, str) else None
    charge.waited_s = _number(document.get("waited_s"))
    if outcome is not Outcome.ACCEPTED:
        charge.charging_s = _number(document.get("charging_s"))
        charge.mean_power_kw = _number(document.get("mean_power_kw"))
        charge.peak_power_kw = _number(document.get("peak_power_kw"))
    attempts = document.get("attempts")
    charge.attempts = attempts if isinstance(attempts, int) else 1


def reported_energies(document: Mapping[str, Any]) -> dict[str, float]:
    """Return the reported energy, kWh by substation: of its legs, or of its only substation."""
    energies: dict[str, float] = {}
    legs = document.get("legs")
    for leg in legs if isinstance(legs, list) else ():
        kwh = _number(leg.get("energy_kwh")) if isinstance(leg, dict) else None
        if kwh is not None and isinstance(leg.get("substation"), str):
            # A substation may have had it twice, with another one in between.
            energies[leg["substation"]] = energies.get(leg["substation"], 0.0) + kwh
    kwh, substation = _number(document.get("energy_kwh")), document.get("substation")
    if not energies and kwh is not None and isinstance(substation, str):
        return {substation: kwh}
    return energies


def _fault(
    charge: Charge, document: dict[str, Any] | None, energies: Mapping[str, float], *, whole: bool
) -> str:
    """Return why a successful response is implausible; empty if it is not."""
    if document is None:
        return "answered with a body that is not a JSON object"
    vehicle_id = document.get("vehicle_id", charge.vehicle_id)
    if vehicle_id != charge.vehicle_id:
        return _short(f"the answer is for another vehicle, {vehicle_id!r}")
    kwh = document.get("kwh", charge.vehicle.kwh)
    number = _number(kwh)
    if number is None or abs(number - charge.vehicle.kwh) > ENERGY_TOLERANCE_KWH:
        return _short(f"charged {kwh!r} kWh where {charge.vehicle.kwh:g} were asked for")
    got, reported = sum(energies.values()), _number(document.get("energy_kwh"))
    if energies and reported is not None and abs(got - reported) > ENERGY_TOLERANCE_KWH:
        return f"its legs are {got:g} kWh where its energy is {reported:g}"
    if energies and whole and got < charge.vehicle.kwh - ENERGY_TOLERANCE_KWH:
        return f"charged {got:g} kWh where {charge.vehicle.kwh:g} were asked for"
    return ""


def retry_after(answer: HttpResponse, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, or None without a usable one.

    Args:
        answer: the response.
        now: the current time, used if the header is a date and the response has no Date.
    """
    text = answer.headers.get("retry-after", "").strip()
    seconds = plain_number(text)
    if seconds is None:
        moment = _http_date(text)
        if moment is None:
            return None
        # By the server's clock, which may differ from ours.
        written = _http_date(answer.headers.get("date", "")) or now
        seconds = max(0.0, (moment - written).total_seconds())
    return seconds if 0 <= seconds < _MAX_RETRY_S else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def json_object(body: bytes | str) -> dict[str, Any] | None:
    """Parse a JSON object; None if it is something else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON does not limit the size of integers
        return None
    return number if math.isfinite(number) else None


def _reason(document: Mapping[str, Any]) -> str:
    reason = document.get("reason")
    return _short(reason) if isinstance(reason, str) else "no reason was given"


def _problem_text(document: dict[str, Any] | None) -> str:
    if document is None:
        return ""
    text = document.get("detail") or document.get("title")
    return _short(text) if isinstance(text, str) else ""


def _short(text: str) -> str:
    return text if len(text) <= _MAX_REASON_LENGTH else f"{text[: _MAX_REASON_LENGTH - 1]}…"
