"""Sessions over HTTP: their progress, a list, and a stop for each."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, dropwhile, islice
from math import inf
from typing import Any

from flask import Blueprint, Response, abort, request

from grid_common.api.openapi import (
    IDENTIFIER,
    a_list,
    a_map,
    an_object,
    content,
    parameter,
    problem,
    ref,
    schema_of,
    text_like,
    whole_number,
)
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.api.session_headers import GRACE, LEASE, OWNER, owner_of
from grid_common.http.shown import shown
from grid_common.lean_flask import current_request
from grid_common.service import json_response
from substation_service.register import Reason, Register, State
from substation_service.registers import Registers
from substation_service.sessions import Sessions

_PAGE, _MAX_PAGE_LENGTH = 100, 1000
_OWNER = parameter(
    "header",
    OWNER,
    IDENTIFIER,
    "ID of the calling balancer, generated at its start: the call counts as a heartbeat for the "
    "sessions that it leads.",
)
_SECONDS = text_like(r"^[0-9]{1,4}(\.[0-9]{1,9})?$")
_AGE = schema_of(float) | {
    "description": "How old the energies are at most when the request arrives, seconds. Over 0 "
    "only while the journal cannot be written in time, so that older ones are reported.",
}
# Headers of `POST /charge`.
TERMS = [
    parameter(
        "header",
        GRACE,
        _SECONDS,
        "The session outlives its last connection by this many seconds, at most 86,400. Without "
        "it, the session ends with its last connection.",
        example="300",
    ),
    parameter(
        "header",
        LEASE,
        _SECONDS,
        "Seconds without a call from its owner after which the session stops, even if its "
        "connection is open.",
        example="3.2",
    ),
    _OWNER,
]


def ended(register: Register, substation: str) -> dict[str, Any]:
    """Return the response document of a session that ended."""
    document: dict[str, Any] = {
        "status": str.__str__(register.state),
        "session_id": register.session_id,
        "vehicle_id": register.vehicle_id,
        "kwh": register.target_kwh,
        "substation": substation,
        "charging_s": round(register.charging_s, 3),
        "energy_kwh": register.ended_kwh,
        "mean_power_kw": round(register.mean_power_kw, 3),
        "peak_power_kw": round(register.peak_power_kw, 3),
    }
    if register.reason is not None:
        document["reason"] = register.reason.value
    return document


def session_routes(
    registers: Registers, sessions: Sessions, clock: Callable[[], float], substation: str
) -> Blueprint:
    """Create the routes."""
    routes = Blueprint("sessions", __name__)

    def shown_all(rows: Sequence[Register]) -> list[dict[str, Any]]:
        reports = sessions.reports(rows)
        now = clock()
        return [
            _shown(one, kwh, age_s, now) for one, (kwh, age_s) in zip(rows, reports, strict=True)
        ]

    @routes.get("/progress")
    def progress() -> Response:
        reported, age_s = sessions.progress(owner_of(current_request().environ))
        return json_response({"register": registers.id, "age_s": age_s, "sessions": reported})

    @routes.get("/sessions")
    def page() -> Response:
        limit, cursor = _limit(request.args.get("limit")), _cursor(request.args.get("cursor"))
        clock()
        rows = list(islice(_from(registers, cursor), limit + 1))
        more = _cursor_of(rows[limit]) if len(rows) > limit else None
        return json_response({"sessions": shown_all(rows[:limit]), "next": more})

    @routes.get("/sessions/<session_id>")
    def show(session_id: str) -> Response:
        clock()
        register = registers.get(session_id)
        if register is None:
            abort(404, _unknown(session_id))
        return json_response(shown_all([register])[0])

    @routes.delete("/sessions/<session_id>")
    def stop(session_id: str) -> Response:
        register = sessions.stop(session_id)
        if register is None:
            abort(404, _unknown(session_id))
        return json_response(ended(register, substation))

    return routes


def _shown(register: Register, kwh: float, age_s: float, now: float) -> dict[str, Any]:
    """Return a session's current state as a document."""
    charging = register.charging
    ends = inf if charging is None else charging.ends
    return {
        "session_id": register.session_id,
        "vehicle_id": register.vehicle_id,
        "state": register.state.value,
        "reason": None if register.reason is None else register.reason.value,
        "target_kwh": register.target_kwh,
        "energy_kwh": kwh,
        "age_s": age_s,
        "power_kw": 0.0 if charging is None else round(charging.power_kw(now), 3),
        "began_at": round(register.began_at, 3),
        "ended_at": None if register.ended_at is None else round(register.ended_at, 3),
        "predicted_s": None if ends == inf else round(max(0.0, ends - now), 3),
    }


def paths() -> dict[str, Any]:
    """Return the paths for OpenAPI."""
    known = [parameter("path", "session_id", str)]
    unknown = {"404": problem("The session is not known here")}
    wrong = {"400": problem("A parameter or header is not valid; `errors` names it")}
    return {
        "/progress": {
            "get": {
                "summary": "The energy that each session received here",
                "description": "Of all that are charging, and of those that ended since this "
                "balancer's last response but one. Without `Session-Owner`: in the last minute.",
                "parameters": [_OWNER],
                "responses": {
                    "200": content(
                        "kWh by session",
                        an_object(
                            {
                                "register": schema_of(str)
                                | {
                                    "description": "ID of the set of registers: kept if the "
                                    "journal is kept, new if they were lost."
                                },
                                "age_s": _AGE,
                                "sessions": a_map(float),
                            }
                        ),
                    )
                }
                | wrong,
            }
        },
        "/sessions": {
            "get": {
                "summary": "The known sessions, those that are charging first",
                "description": "Newest first. Of those that ended, some ten thousand are known.",
                "parameters": [
                    parameter("query", "limit", whole_number(1, _MAX_PAGE_LENGTH, _PAGE)),
                    parameter(
                        "query",
                        "cursor",
                        text_like(r"^[ce][0-9]{1,18}$"),
                        "`next` of the previous page",
                    ),
                ],
                "responses": {
                    "200": content(
                        "A page",
                        an_object({"sessions": a_list(ref("Session")), "next": str | None}),
                    )
                }
                | wrong,
            }
        },
        "/sessions/{session_id}": {
            "get": {
                "summary": "One session",
                "parameters": known,
                "responses": {"200": content("Its current state", ref("Session"))} | unknown,
            },
            "delete": {
                "summary": "Stop a session; if it has ended, return how",
                "parameters": known,
                "responses": {"200": content("How it ended", ref("Charged"))} | unknown,
            },
        },
    }


def schemas() -> dict[str, Any]:
    """Return the schemas for OpenAPI."""
    return {
        "Session": an_object(
            {
                "session_id": str,
                "vehicle_id": str,
                "state": State,
                "reason": {"enum": [*(reason.value for reason in Reason), None]},
                "target_kwh": float,
                "energy_kwh": float,
                "age_s": _AGE,
                "power_kw": float,
                "began_at": float,
                "ended_at": float | None,
                "predicted_s": float | None,
            }
        )
    }


def _from(registers: Registers, cursor: tuple[str, int]) -> Iterator[Register]:
    """Yield the sessions from a cursor on. A session's cursor is its state and number."""
    state, number = cursor
    if state == "e":
        return registers.ended_from(number)
    running = dropwhile(lambda one: one.number > number, reversed(registers.running))
    return chain(running, registers.ended)


def _cursor_of(register: Register) -> str:
    return f"{'e' if register.charging is None else 'c'}{register.number}"


def _cursor(text: str | None) -> tuple[str, int]:
    if text is None:
        return "c", 10**18
    if text[:1] not in ("c", "e") or not text[1:].isdecimal() or len(text) > 19:
        detail = f"is {shown(text)}; it takes the `next` of a page, or leave it out"
        raise BadRequest([FieldFault("cursor", detail)])
    return text[0], int(text[1:])


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not (text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= _MAX_PAGE_LENGTH):
        detail = f"is {shown(text)}; it takes a number from 1 to {_MAX_PAGE_LENGTH}"
        raise BadRequest([FieldFault("limit", detail)])
    return int(text)


def _unknown(session_id: str) -> str:
    return f"No session {shown(session_id)} is known here: it never arrived, or ended long ago."
