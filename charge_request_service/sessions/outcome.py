"""How a session ended, from the balancer's response or the lack of one. Pure."""

from typing import Any

import orjson

from charge_request_service.sessions.record import Begin, End, Record, State
from grid_common.api.charge import STOPPED_BY_CALLER
from grid_common.api.problem_type import CONTENT_TYPE
from grid_common.api.problems import Problem
from grid_common.http.response import UpstreamResponse

_NOTHING_KWH = 1e-6
_Reported = tuple[str | None, Any, Any, Any, Any, Any, Any, str | None]


def end_of(session_id: str, response: UpstreamResponse, ended_us: int, *, keep: bool) -> End:
    """Return how a session ended according to its response, which arrived at `ended_us`.

    If `keep` is true, the response is kept for repeated requests.
    """
    reported = _document(response.body)
    if response.status >= 300:
        state, reason = State.REFUSED, reported.get("detail")
    elif reported.get("status") == "stopped":
        state, reason = State.STOPPED, reported.get("reason") or STOPPED_BY_CALLER
    else:  # after a 202 the substation continues, but the session has ended for the grid
        state, reason = State.CHARGED, None
    end = End(session_id, state, ended_us, *_reported(reported), _text(reason), response.status)
    return with_response(end, response) if keep else end


def stopped(
    begin: Begin, reported: dict[str, Any], why: str, ended_us: int
) -> tuple[End, UpstreamResponse]:
    """Return how a stopped session ended at `ended_us`, and its response.

    `reported` is the balancer's response to the stop. A restarted balancer knows what substations
    delivered, but not what was asked for.
    """
    kwh = _number(reported.get("energy_kwh"))
    has_all = kwh is None or begin.kwh is None or kwh > begin.kwh - _NOTHING_KWH
    state = State.CHARGED if reported.get("status") == "charged" and has_all else State.STOPPED
    reason = None if state is State.CHARGED else why
    end = End(begin.session_id, state, ended_us, *_reported(reported), reason)
    document = {
        "session_id": begin.session_id,
        "vehicle_id": begin.vehicle,
        "kwh": begin.kwh,
        **({} if reason is None else {"reason": reason}),
        **reported,
        "status": state,
    }
    return end, UpstreamResponse(200, "application/json", None, orjson.dumps(document))


def _reported(reported: dict[str, Any]) -> _Reported:
    """Return the members of `End` from `substation` to `legs`."""
    legs = reported.get("legs")
    return (
        _text(reported.get("substation")),
        _number(reported.get("attempts")),
        _number(reported.get("waited_s")),
        _number(reported.get("charging_s")),
        _number(reported.get("energy_kwh")),
        _number(reported.get("mean_power_kw")),
        _number(reported.get("peak_power_kw")),
        orjson.dumps(legs).decode() if legs and isinstance(legs, list) else None,
    )


def with_response(end: End, response: UpstreamResponse) -> End:
    """Add the response, for repeated requests."""
    return end._replace(
        status=response.status,
        content_type=response.content_type,
        body=_text(response.body.decode(errors="replace")),
        retry_after=response.retry_after,
    )


def kept_response(record: Record) -> UpstreamResponse | None:
    """Return the response that was kept for an ended session, if any."""
    end = record.end
    if end.body is None or end.status is None:
        return None
    return UpstreamResponse(end.status, end.content_type or "", end.retry_after, end.body.encode())


def response_for(problem: Problem) -> UpstreamResponse:
    """Return the response for a problem."""
    return UpstreamResponse(
        int(problem.status),
        CONTENT_TYPE,
        problem.headers.get("Retry-After"),
        orjson.dumps(problem.document()),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        reported = orjson.loads(body)
    except ValueError:
        return {}
    return reported if isinstance(reported, dict) else {}


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    # PostgreSQL accepts no null character in text.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None
