"""Describes sessions for OpenAPI."""

from typing import Any

from charge_request_service.sessions.query import MAX_PAGE_LENGTH, OPEN
from charge_request_service.sessions.record import Kind, State
from charge_request_service.sessions.routes import MAX_RECORDS
from grid_common.api.openapi import (
    COUNT,
    NULLABLE_COUNT,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    NUMBER,
    RETRY_AFTER,
    TEXT,
    a_list,
    an_object,
    content,
    problem,
    ref,
)

_ID = "^[A-Za-z0-9._:-]{1,64}$"
_TIME = {"type": "string", "format": "date-time"}
_SESSION_ID = {
    "name": "session_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": _ID},
}
_UNAVAILABLE = problem("The ledger of sessions or the balancer is unavailable") | RETRY_AFTER
_NO_SUCH = problem("No such session, or another caller's")


def add_to_charge(charge: dict[str, Any]) -> None:
    """Add to `POST /charge` what makes a session outlive its request."""
    charge["parameters"] = [
        {
            "name": "Prefer",
            "in": "header",
            "description": "RFC 7240. `wait=N`: refuse after N seconds without a free point. "
            "`respond-async`: answer 202 at once; the session goes on by itself.",
            "schema": {"type": "string", "pattern": r"^(wait=\d{1,9}|respond-async)$"},
            "example": "wait=30",
        },
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "One session for this key, whatever happens to the connection: the same "
            "key again gets its answer, byte for byte, or waits for it.",
            "schema": {"type": "string", "pattern": "^[!#-~]{1,255}$"},
            "example": "5f0c8f0e-3b0a-4f3e-9f38-0d7f0f2b8a57",
        },
    ]
    responses = charge["responses"]
    replayed = {
        "Idempotency-Replayed": {
            "description": "`true` where the key was there before",
            "schema": {"enum": ["true"]},
        }
    }
    responses["200"] = responses["200"] | {"headers": replayed}
    responses["202"] = {
        "description": "The session goes on after this answer",
        "headers": {
            "Location": {"description": "Where the session is found", "schema": TEXT},
            "Preference-Applied": {"schema": TEXT},
            **replayed,
        },
        "content": {"application/json": {"schema": {"anyOf": [ref("Charged"), ref("Accepted")]}}},
    }
    responses["409"] = problem("The key's session is running, and its caller waits for it") | {
        "headers": {"Location": {"description": "Where the session is found", "schema": TEXT}}
    }
    responses["422"] = problem("The key came before with another body")


def paths() -> dict[str, Any]:
    """Describe the routes."""
    page = [_since("since", "no earlier than"), _since("until", "earlier than"), _VEHICLE, _CURSOR]
    return {
        "/sessions": {
            "get": {
                "summary": "Sessions, newest first, a page",
                "description": "A page may be short, or empty, where few sessions are of those "
                "asked for; it is the last one when `next` is null.",
                "parameters": [_STATE, *page, _limit(MAX_PAGE_LENGTH)],
                "responses": {
                    "200": content("The page", ref("Sessions")),
                    "400": problem("A parameter is not valid"),
                    "503": _UNAVAILABLE,
                },
            }
        },
        "/sessions/{session_id}": {
            "get": {
                "summary": "Where a session stands",
                "parameters": [_SESSION_ID],
                "responses": {
                    "200": content("The session", ref("Session")),
                    "404": _NO_SUCH,
                    "503": _UNAVAILABLE,
                },
            },
            "delete": {
                "summary": "Stop a session; stopping twice is no error",
                "parameters": [_SESSION_ID],
                "responses": {
                    "200": content("The session, with what was delivered", ref("Session")),
                    "403": problem("The page of another site made a browser send this"),
                    "404": _NO_SUCH,
                    "503": _UNAVAILABLE,
                },
            },
        },
        "/totals": {
            "get": {
                "summary": "What the sessions that began today come to",
                "responses": {"200": content("The totals", ref("Totals")), "503": _UNAVAILABLE},
            }
        },
        "/sessions.csv": {
            "get": {
                "summary": "Charge detail records as CSV, newest first, a page",
                "parameters": [*page, _limit(MAX_RECORDS)],
                "responses": {
                    "200": {
                        "description": "One row a finished session",
                        "headers": _LINK,
                        "content": {"text/csv": {"schema": TEXT}},
                    },
                    "400": problem("A parameter is not valid"),
                    "503": _UNAVAILABLE,
                },
            }
        },
        "/sessions.json": {
            "get": {
                "summary": "Charge detail records with the fields of OCPI 2.2.1, newest first, a "
                "page",
                "parameters": [*page, _limit(MAX_RECORDS)],
                "responses": {
                    "200": content("The page", ref("ChargeDetailRecords")) | {"headers": _LINK},
                    "400": problem("A parameter is not valid"),
                    "503": _UNAVAILABLE,
                },
            }
        },
    }


def schemas() -> dict[str, Any]:
    """Describe what the routes answer."""
    return {
        "Accepted": an_object(
            {
                "state": {"enum": [state.value for state in State]},
                "session_id": TEXT,
                "vehicle_id": TEXT,
                "kwh": NUMBER,
            }
        ),
        "Leg": an_object(
            {"substation": TEXT, "energy_kwh": NULLABLE_NUMBER, "charging_s": NULLABLE_NUMBER},
            optional=("charging_s",),
        ),
        "Session": an_object(
            {
                "session_id": TEXT,
                "state": {"enum": [state.value for state in State]},
                "vehicle_id": TEXT,
                "kwh": NUMBER,
                "kind": {"enum": [kind.value for kind in Kind]},
                "began": _TIME,
                "ended": {"type": ["string", "null"], "format": "date-time"},
                "energy_kwh": NULLABLE_NUMBER,
                "substation": NULLABLE_TEXT,
                "power_kw": NULLABLE_NUMBER,
                "predicted_end_s": NULLABLE_NUMBER,
                "attempts": NULLABLE_COUNT,
                "waited_s": NULLABLE_NUMBER,
                "charging_s": NULLABLE_NUMBER,
                "mean_power_kw": NULLABLE_NUMBER,
                "peak_power_kw": NULLABLE_NUMBER,
                "legs": a_list(ref("Leg")),
                "reason": NULLABLE_TEXT,
            }
        ),
        "Sessions": an_object({"sessions": a_list(ref("Session")), "next": NULLABLE_TEXT}),
        "Totals": an_object(
            {
                "since": _TIME,
                "vehicles": COUNT,
                "open": COUNT,
                "charged": COUNT,
                "stopped": COUNT,
                "refused": COUNT,
                "energy_kwh": NUMBER,
                "complete": {"type": "boolean"},
                "age_s": NUMBER,
            }
        ),
        "ChargeDetailRecords": an_object(
            {"cdrs": a_list(ref("ChargeDetailRecord")), "next": NULLABLE_TEXT}
        ),
        "ChargeDetailRecord": an_object(
            {
                "id": TEXT,
                "start_date_time": _TIME,
                "end_date_time": _TIME,
                "session_id": TEXT,
                "cdr_token": an_object({"uid": TEXT, "type": TEXT, "contract_id": TEXT}),
                "auth_method": TEXT,
                "cdr_location": an_object({"id": TEXT}),
                "charging_periods": a_list(
                    an_object(
                        {
                            "start_date_time": _TIME,
                            "dimensions": a_list(an_object({"type": TEXT, "volume": NUMBER})),
                            "location_id": TEXT,
                        }
                    )
                ),
                "total_energy": NUMBER,
                "total_time": NUMBER,
                "total_parking_time": NUMBER,
                "last_updated": _TIME,
            }
        ),
    }


_TIME_OF_DAY = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_LINK = {"Link": {"description": "The next page, `rel=next`", "schema": TEXT}}
_STATE = {
    "name": "state",
    "in": "query",
    "description": "Sessions in this state alone; `open` for all that have not ended.",
    "schema": {"enum": [*(state.value for state in State), OPEN]},
}
_VEHICLE = {
    "name": "vehicle_id",
    "in": "query",
    "description": "Sessions of the vehicle that told this name.",
    "schema": {"type": "string", "pattern": _ID},
}
_CURSOR = {
    "name": "cursor",
    "in": "query",
    "description": "The `next` of the page before.",
    "schema": {"type": "string", "pattern": _ID},
}


def _since(name: str, when: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": f"Sessions that began {when} this; without an offset it is UTC.",
        "schema": {
            "type": "string",
            "pattern": rf"^20\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T{_TIME_OF_DAY}Z$",
        },
        "example": "2026-11-26T16:00:00Z",
    }


def _limit(most: int) -> dict[str, Any]:
    return {
        "name": "limit",
        "in": "query",
        "description": "List so many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": most, "default": most},
    }
