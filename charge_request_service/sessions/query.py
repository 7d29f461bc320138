"""The query parameters of lists of sessions."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from charge_request_service.sessions.listing import Query
from charge_request_service.sessions.record import State
from grid_common.api.identifier import ID
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.http.shown import shown, shown_name

MAX_PAGE_LENGTH = 100
# A value of `state` besides the states: all sessions that have not ended.
OPEN = "open"
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


def read_query(
    given: Mapping[str, str],
    *,
    owner: str | None,
    most: int = MAX_PAGE_LENGTH,
    records: bool = False,
) -> Query:
    """Parse the query parameters of a list.

    The list has sessions of one owner, None for all. If charge detail records are listed, it has
    ended sessions, in any state. A page has at most `most` sessions.

    Raises:
        BadRequest: a parameter is unknown or invalid; each one is named.
    """
    faults: list[FieldFault] = []
    taken = {"vehicle_id", "since", "until", "limit", "cursor"} | (set() if records else {"state"})
    for name in given:
        if name not in taken:
            known = ", ".join(sorted(taken))
            faults.append(FieldFault(shown_name(name), f"is not known; {known} are taken"))

    def read(name: str, parse: Callable[[str], object], takes: str) -> object:
        if name not in given or name not in taken:
            return None
        try:
            return parse(given[name])
        except ValueError:
            faults.append(FieldFault(name, f"is {shown(given[name])}; it takes {takes}"))
            return None

    name_of = "a session ID, the `next` of the previous page"
    when = "a time such as 2026-11-26T16:00:00Z"
    values = {
        "limit": read("limit", lambda text: _limit(text, most), f"a number from 1 to {most}"),
        "after": read("cursor", _id, name_of),
        "state": read("state", _state, f"one of {', '.join((*State, OPEN))}"),
        "vehicle_id": read("vehicle_id", _id, "a vehicle ID"),
        "since_ms": read("since", _time_ms, when),
        "until_ms": read("until", _time_ms, when),
    }
    if faults:
        raise BadRequest(faults)
    reported = {name: value for name, value in values.items() if value is not None}
    if reported.get("state") == OPEN:
        reported = {**reported, "state": None, "open": True}
    return Query(**{"limit": most, **reported}, owner=owner, ended=records)  # type: ignore[arg-type] # as parsed


def _state(text: str) -> str:
    return OPEN if text == OPEN else State(text)


def _limit(text: str, most: int) -> int:
    if not (_NUMBER.fullmatch(text) and 1 <= int(text) <= most):
        raise ValueError
    return int(text)


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError
    return text


def _time_ms(text: str) -> int:
    if len(text) > 40:
        raise ValueError
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return int(at.timestamp() * 1000)
    except OverflowError:
        raise ValueError from None
