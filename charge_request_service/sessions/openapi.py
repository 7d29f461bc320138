"""Sessions in the gateway's OpenAPI description."""

from typing import Any

from charge_request_service.sessions.query import MAX_PAGE_LENGTH, OPEN
from charge_request_service.sessions.record import Kind, State
from charge_request_service.sessions.routes import MAX_RECORDS
from grid_common.api.openapi import (
    COUNT,
    FLAG,
    IDENTIFIER,
    NULLABLE_COUNT,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    NUMBER,
    RETRY_AFTER,
    SESSION_ID,
    TEXT,
    TIME,
    a_list,
    an_object,
    content,
    parameter,
    problem,
    ref,
    text_like,
    whole_number,
)

_UNAVAILABLE = {"503": problem("The ledger or the balancer is unavailable") | RETRY_AFTER}
_NO_SUCH = {"404": problem("No such session, or another caller's")}
_INVALID = {"400": problem("A parameter is not valid")}
_LOCATION = {"Location": {"description": "Path of the session", "schema": TEXT}}
_NEXT_PAGE = {"Link": {"description": "The next page, `rel=next`", "schema": TEXT}}
_TIME_OF_DAY = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_UTC = text_like(rf"^20\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T{_TIME_OF_DAY}Z$")
_STATES = [state.value for state in State]
_STATE = parameter(
    "query",
    "state",
    {"enum": [*_STATES, OPEN]},
    "Only sessions in this state; `open` stands for all that have not ended.",
)


def add_to_charge(charge: dict[str, Any]) -> None:
    """Add to `POST /charge` what makes a session durable."""
    charge["parameters"] = [
        parameter(
            "header",
            "Prefer",
            text_like(r"^(wait=\d{1,9}|respond-async)$"),
            "RFC 7240. `wait=N`: refuse after N seconds without a free point. `respond-async`: "
            "respond with 202 at once; the session continues without its caller.",
            example="wait=30",
        ),
        parameter(
            "header",
            "Idempotency-Key",
            text_like("^[!#-~]{1,255}$"),
            "At most one session has this key. A repeated request with the key waits for that "
            "session, or gets the same response, byte for byte.",
            example="5f0c8f0e-3b0a-4f3e-9f38-0d7f0f2b8a57",
        ),
    ]
    responses = charge["responses"]
    replayed = {
        "Idempotency-Replayed": {
            "description": "`true` if the key was used before",
            "schema": {"enum": ["true"]},
        }
    }
    responses["200"] = responses["200"] | {"headers": replayed}
    responses["202"] = {
        "description": "The session continues after this response",
        "headers": {**_LOCATION, "Preference-Applied": {"schema": TEXT}, **replayed},
        "content": {"application/json": {"schema": {"anyOf": [ref("Charged"), ref("Accepted")]}}},
    }
    conflict = problem("The session with this key is running, and another caller waits for it")
    responses["409"] = conflict | {"headers": _LOCATION}
    responses["422"] = problem("The key was used with another body")


def paths() -> dict[str, Any]:
    """Describe the paths."""
    page = [
        _time("since", "at this time or later"),
        _time("until", "before this time"),
        parameter("query", "vehicle_id", IDENTIFIER, "Only sessions that named this vehicle."),
        parameter("query", "cursor", IDENTIFIER, "`next` of the previous page."),
    ]
    records = [*page, _limit(MAX_RECORDS)]
    session = content("The session", ref("Session"))
    csv = {
        "description": "One row for each ended session",
        "headers": _NEXT_PAGE,
        "content": {"text/csv": {"schema": TEXT}},
    }
    json = content("The page", ref("ChargeDetailRecords")) | {"headers": _NEXT_PAGE}
    return {
        "/sessions": {
            "get": {
                "summary": "Sessions, newest first, in pages",
                "description": "A page may be short, or even empty, if few sessions match. The "
                "last page is the one whose `next` is null.",
                "parameters": [_STATE, *page, _limit(MAX_PAGE_LENGTH)],
                "responses": {
                    "200": content("The page", ref("Sessions")),
                    **_INVALID,
                    **_UNAVAILABLE,
                },
            }
        },
        "/sessions/{session_id}": {
            "get": {
                "summary": "The current state of a session",
                "parameters": [SESSION_ID],
                "responses": {"200": session, **_NO_SUCH, **_UNAVAILABLE},
            },
            "delete": {
                "summary": "Stop a session. Idempotent",
                "parameters": [SESSION_ID],
                "responses": {
                    "200": content("The session, with the energy it received", ref("Session")),
                    "403": problem("A page of another site made a browser send this"),
                    **_NO_SUCH,
                    **_UNAVAILABLE,
                },
            },
        },
        "/totals": {
            "get": {
                "summary": "Totals of the sessions that began today",
                "responses": {"200": content("The totals", ref("Totals")), **_UNAVAILABLE},
            }
        },
        "/sessions.csv": {
            "get": {
                "summary": "Charge detail records as CSV, newest first, in pages",
                "parameters": records,
                "responses": {"200": csv, **_INVALID, **_UNAVAILABLE},
            }
        },
        "/sessions.json": {
            "get": {
                "summary": "Charge detail records with the fields of OCPI 2.2.1, newest first, in "
                "pages",
                "parameters": records,
                "responses": {"200": json, **_INVALID, **_UNAVAILABLE},
            }
        },
    }


def schemas() -> dict[str, Any]:
    """Describe the responses."""
    return {
        "Accepted": an_object(
            {"state": {"enum": _STATES}, "session_id": TEXT, "vehicle_id": TEXT, "kwh": NUMBER}
        ),
        "Leg": an_object(
            {"substation": TEXT, "energy_kwh": NULLABLE_NUMBER, "charging_s": NULLABLE_NUMBER},
            optional=("charging_s",),
        ),
        "Session": an_object(
            {
                "session_id": TEXT,
                "state": {"enum": _STATES},
                "vehicle_id": TEXT,
                "kwh": NUMBER,
                "kind": {"enum": [kind.value for kind in Kind]},
                "began": TIME,
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
                "since": TIME,
                "vehicles": COUNT,
                "open": COUNT,
                "charged": COUNT,
                "stopped": COUNT,
                "refused": COUNT,
                "energy_kwh": NUMBER,
                "complete": FLAG,
                "age_s": NUMBER,
            }
        ),
        "ChargeDetailRecords": an_object(
            {"cdrs": a_list(ref("ChargeDetailRecord")), "next": NULLABLE_TEXT}
        ),
        "ChargeDetailRecord": _charge_detail_record(),
    }


def _charge_detail_record() -> dict[str, Any]:
    dimension = an_object({"type": TEXT, "volume": NUMBER})
    period = {"start_date_time": TIME, "dimensions": a_list(dimension), "location_id": TEXT}
    return an_object(
        {
            "id": TEXT,
            "start_date_time": TIME,
            "end_date_time": TIME,
            "session_id": TEXT,
            "cdr_token": an_object({"uid": TEXT, "type": TEXT, "contract_id": TEXT}),
            "auth_method": TEXT,
            "cdr_location": an_object({"id": TEXT}),
            "charging_periods": a_list(an_object(period)),
            "total_energy": NUMBER,
            "total_time": NUMBER,
            "total_parking_time": NUMBER,
            "last_updated": TIME,
        }
    )


def _time(name: str, when: str) -> dict[str, Any]:
    about = f"Only sessions that began {when}. A time without an offset is in UTC."
    return parameter("query", name, _UTC, about, example="2026-11-26T16:00:00Z")


def _limit(most: int) -> dict[str, Any]:
    return parameter("query", "limit", whole_number(1, most, most), "Maximum number in the page.")
