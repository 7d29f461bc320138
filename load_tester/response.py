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


def apply_response(charge: Charge, response: HttpResponse) -> None:
    """Record a response in a charge; an implausible one counts as failed."""
    status = response.status
    charge.status, charge.reason = status, ""
    charge.replayed = response.headers.get("idempotency-replayed") == "true"
    document = json_object(response.body)
    members = document or {}
    if isinstance(members.get("session_id"), str):
        charge.session_id = members["session_id"]
    if status in (200, 202):
        outcome = Outcome.CHARGED if status == 200 else Outcome.ACCEPTED
        stopped = members.get("status") == "stopped"
        _apply_success(charge, Outcome.STOPPED if stopped else outcome, document)
        return
    text = _text(members.get("detail") or members.get("title"))
    if status in (429, 503):
        charge.outcome, charge.energies = Outcome.REFUSED, reported_energies(members)
        charge.reason = text or f"{status} without a problem body"
    else:
        charge.outcome = Outcome.REJECTED if 400 <= status < 500 else Outcome.FAILED
        charge.reason = text or f"answered {status}"


def apply_session(charge: Charge, document: dict[str, Any]) -> bool:
    """Record a charge's session from `GET /sessions/ID`; return whether it has ended."""
    match document.get("state"):
        case "charged":
            _apply_success(charge, Outcome.CHARGED, document)
        case "stopped":
            _apply_success(charge, Outcome.STOPPED, document)
        case "refused":
            charge.outcome, charge.energies = Outcome.REFUSED, reported_energies(document)
            charge.reason = _reason(document)
        case _:
            return False
    return True


def _apply_success(charge: Charge, outcome: Outcome, document: dict[str, Any] | None) -> None:
    energies = reported_energies(document or {})
    fault = _fault(charge, document, energies, whole=outcome is Outcome.CHARGED)
    if document is None or fault:
        charge.outcome, charge.reason = Outcome.FAILED, fault
        return
    charge.outcome, charge.energies = outcome, energies
    if outcome is Outcome.STOPPED:
        charge.reason = _reason(document)
    substation, attempts = document.get("substation"), document.get("attempts")
    charge.substation = substation if isinstance(substation, str) else None
    charge.attempts = attempts if isinstance(attempts, int) else 1
    charge.waited_s = _number(document.get("waited_s"))
    if outcome is not Outcome.ACCEPTED:
        charge.charging_s = _number(document.get("charging_s"))
        charge.mean_power_kw = _number(document.get("mean_power_kw"))
        charge.peak_power_kw = _number(document.get("peak_power_kw"))


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
        return _text(f"the answer is for another vehicle, {vehicle_id!r}")
    kwh = document.get("kwh", charge.vehicle.kwh)
    number = _number(kwh)
    if number is None or abs(number - charge.vehicle.kwh) > ENERGY_TOLERANCE_KWH:
        return _text(f"charged {kwh!r} kWh where {charge.vehicle.kwh:g} were asked for")
    got, reported = sum(energies.values()), _number(document.get("energy_kwh"))
    if energies and reported is not None and abs(got - reported) > ENERGY_TOLERANCE_KWH:
        return f"its legs are {got:g} kWh where its energy is {reported:g}"
    if energies and whole and got < charge.vehicle.kwh - ENERGY_TOLERANCE_KWH:
        return f"charged {got:g} kWh where {charge.vehicle.kwh:g} were asked for"
    return ""


def retry_after(response: HttpResponse, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, or None without a usable one.

    Args:
        response: the response.
        now: the current time, used if the header is a date and the response has no Date.
    """
    text = response.headers.get("retry-after", "").strip()
    seconds = plain_number(text)
    if seconds is None:
        moment = _http_date(text)
        if moment is None:
            return None
        # By the server's clock, which may differ from ours.
        written = _http_date(response.headers.get("date", "")) or now
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
    return _text(document.get("reason")) or "no reason was given"


def _text(value: object) -> str:
    """Return a text, shortened if it is long; empty if it is not one."""
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _MAX_REASON_LENGTH else f"{text[: _MAX_REASON_LENGTH - 1]}…"
