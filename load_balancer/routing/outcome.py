"""What a substation's response to `POST /charge` means for the session. Pure."""

from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

from grid_common.api.charge import METERED
from grid_common.api.problem_type import DRAINING, is_unavailable
from grid_common.http.shown import shown

_KNOWN = frozenset(HTTPStatus)
_NUMBERS = frozenset({int, float})  # not bool, which is an int by class alone
_WANT_A_PASSWORD = (401, 407)
_MAX_REASON_LENGTH = 100


class Outcome(StrEnum):
    """How one attempt at a substation ended, by its response or for the lack of one."""

    CHARGED = "charged"  # done: its point is free
    ACCEPTED = "accepted"  # taken, and still charging after the response
    STOPPED = "stopped"  # ended early by the substation; its point is free
    FULL = "full"  # no free point now; the substation is well
    DRAINING = "draining"  # takes nothing new, finishes what it has
    REJECTED = "rejected"  # this session is not charged here; the substation is well
    FAILED = "failed"  # the substation is not well


class Withdrawal(StrEnum):
    """How one attempt ended before there was an outcome; counted beside the outcomes."""

    REVOKED = "taken_back"  # its substation was lost
    ABORTED = "aborted"  # its caller disconnected


class FailoverReason(StrEnum):
    """Why a session was sent on to another substation."""

    REFUSED = "refused"  # there was no connection
    RESET = "reset"  # the connection broke
    GARBLED = "garbled"  # the response was not valid HTTP
    ERROR = "error"  # the response was a failure, as a 500
    REJECTED = "rejected"  # the substation rejected this session
    LOST = "lost"  # the substation stopped answering its polls
    STOPPED = "stopped"  # the substation stopped the session


class EjectionReason(StrEnum):
    """Why a substation was ejected; the first four as in `FailoverReason`."""

    REFUSED = "refused"
    RESET = "reset"
    GARBLED = "garbled"
    ERROR = "error"
    UNREADABLE = "unreadable"  # its metrics page has no gauge
    MISSED_POLLS = "missed_polls"


def outcome_of(status: int, content_type: str, body: bytes) -> Outcome:
    """Return what a response means.

    An unknown status counts as x00 of its class (RFC 9110, section 15). Any 2xx means that the
    session was accepted, so it must not be sent to a second substation.
    """
    if status == 202:
        return Outcome.ACCEPTED
    if 200 <= status < 300:
        return Outcome.CHARGED
    if is_unavailable(DRAINING, status, content_type, body):
        return Outcome.DRAINING
    if status in (429, 503):
        return Outcome.FULL
    if 400 <= status < 500:
        return Outcome.REJECTED
    return Outcome.FAILED


def metered(body: bytes) -> dict[str, float]:
    """Return the energy and power values of a response; missing ones are left out."""
    document = _members(body)
    reported: dict[str, float] = {}
    for name in METERED:
        value: Any = document.get(name)
        if type(value) in _NUMBERS and value >= 0:  # JSON has no infinity
            reported[name] = float(value)
    return reported


def says_stopped(body: bytes) -> bool:
    """Return whether a 2xx of a substation with registers is for a session that it stopped."""
    return b'"stopped"' in body and _members(body).get("status") == "stopped"


def stop_reason(body: bytes) -> str:
    """Return why a substation ended a session, in its own words."""
    reason = _members(body).get("reason")
    return reason[:_MAX_REASON_LENGTH] if isinstance(reason, str) else "not said"


def _members(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def takes_no_charge(status: int) -> bool:
    """Return whether a response means that no charge can succeed with this configuration."""
    return 300 <= status < 400 or status in _WANT_A_PASSWORD


def describe(status: int, location: str | None) -> str:
    """Describe a response other than a success, with the remedy if there is a plain one.

    Args:
        status: the status.
        location: its header of that name.
    """
    named = f"{status} {HTTPStatus(status).phrase}" if status in _KNOWN else str(status)
    if 300 <= status < 400:
        where = "elsewhere" if location is None else f"to {shown(location, 100)}"
        return f"redirects {where} ({named}), which is not followed: set what it leads to"
    if status in _WANT_A_PASSWORD:
        return f"answered {named}: it wants a password, and the balancer sends none"
    return f"answered {named}"
