"""What an answer, or the lack of one, makes of a session. Pure."""

from typing import Any

import orjson

from charge_request_service.sessions.record import Begin, End, Record, State
from grid_common.api.problem_type import CONTENT_TYPE
from grid_common.api.problems import Problem
from grid_common.http.response import UpstreamResponse

_NUMBERS = (
    "attempts",
    "waited_s",
    "charging_s",
    "energy_kwh",
    "mean_power_kw",
    "peak_power_kw",
)
_NOTHING_KWH = 1e-6
_NO_ANSWER = (None, None, None)
_REPORTED = 3 + len(_NUMBERS) + 2


def end_of(session_id: str, answer: UpstreamResponse, ended_us: int, *, keep: bool) -> End:
    """Return how the session ended whose answer this is.

    Args:
        session_id: its name.
        answer: the balancer's.
        ended_us: when it came, microseconds since 1970.
        keep: whether the answer is kept, to be given again.
    """
    reported = _document(answer.body)
    if answer.status >= 300:
        state, reason = State.REFUSED, reported.get("detail")
    elif reported.get("status") == "stopped":
        state, reason = State.STOPPED, reported.get("reason") or "stopped by its caller"
    else:  # a substation that goes on after its answer has taken it: that is its end here
        state, reason = State.CHARGED, None
    members = (
        session_id,
        state,
        ended_us,
        *_reported(reported),
        _text(reason),
        answer.status,
        *_NO_ANSWER,
    )
    end = End._make(members)
    return with_answer(end, answer) if keep else end


def stopped(
    begin: Begin, reported: dict[str, Any], why: str, ended_us: int
) -> tuple[End, UpstreamResponse]:
    """Return how a session ended that was told to stop, without its answer, and that answer.

    Args:
        begin: what was asked for.
        reported: what the balancer tells of it. One that started lately knows what substations
            charged, and not what was asked for.
        why: it was told to stop.
        ended_us: when, microseconds since 1970.
    """
    kwh = _number(reported.get("energy_kwh"))
    has_all = kwh is None or begin.kwh is None or kwh > begin.kwh - _NOTHING_KWH
    state = State.CHARGED if reported.get("status") == "charged" and has_all else State.STOPPED
    reason = None if state is State.CHARGED else why
    end = End(begin.session_id, state, ended_us, reason=reason)
    document = {
        "session_id": begin.session_id,
        "vehicle_id": begin.session().vehicle_id,
        "kwh": begin.kwh,
        **({} if reason is None else {"reason": reason}),
        **reported,
        "status": state,
    }
    return with_reported(end, reported), UpstreamResponse(
        200, "application/json", None, orjson.dumps(document)
    )


def with_reported(end: End, reported: dict[str, Any]) -> End:
    """Add what the balancer tells of a session."""
    return End._make((*end[:3], *_reported(reported), *end[_REPORTED:]))


def _reported(reported: dict[str, Any]) -> tuple[Any, ...]:
    """Return the members of `End` from `substation` to `legs`."""
    legs = reported.get("legs")
    return (
        _text(reported.get("substation")),
        *(_number(reported.get(name)) for name in _NUMBERS),
        orjson.dumps(legs).decode() if legs and isinstance(legs, list) else None,
    )


def with_answer(end: End, answer: UpstreamResponse) -> End:
    """Add the answer, to be given again."""
    return end._replace(
        status=answer.status,
        content_type=answer.content_type,
        body=_text(answer.body.decode(errors="replace")),
        retry_after=answer.retry_after,
    )


def answer_of(record: Record) -> UpstreamResponse | None:
    """Return the answer that was kept of a finished session."""
    if record.body is None or record.status is None:
        return None
    return UpstreamResponse(
        record.status, record.content_type or "", record.retry_after, record.body.encode()
    )


def problem_answer(problem: Problem) -> UpstreamResponse:
    """Return a problem as the answer that it is rendered as."""
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
    # PostgreSQL keeps no text with a null character in it.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None
