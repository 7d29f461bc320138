"""Sessions in the gateway's OpenAPI description."""

from datetime import datetime
from typing import Any

from charge_request_service.sessions.query import MAX_PAGE_LENGTH, OPEN
from charge_request_service.sessions.record import Kind, State
from charge_request_service.sessions.routes import MAX_RECORDS
from grid_common.api.openapi import (
    IDENTIFIER,
    RETRY_AFTER,
    SESSION_ID,
    TEXT,
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
_STATE = parameter(
    "query",
    "state",
    {"enum": [*State, OPEN]},
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
        "Accepted": an_object({"state": State, "session_id": str, "vehicle_id": str, "kwh": float}),
        "Leg": an_object(
            {"substation": str, "energy_kwh": float | None, "charging_s": float | None},
            optional=("charging_s",),
        ),
        "Session": an_object(
            {
                "session_id": str,
                "state": State,
                "vehicle_id": str,
                "kwh": float,
                "kind": Kind,
                "began": datetime,
                "ended": datetime | None,
                "energy_kwh": float | None,
                "substation": str | None,
                "power_kw": float | None,
                "predicted_end_s": float | None,
                "attempts": int | None,
                "waited_s": float | None,
                "charging_s": float | None,
                "mean_power_kw": float | None,
                "peak_power_kw": float | None,
                "legs": a_list(ref("Leg")),
                "reason": str | None,
            }
        ),
        "Sessions": an_object({"sessions": a_list(ref("Session")), "next": str | None}),
        "Totals": an_object(
            {
                "since": datetime,
                "vehicles": int,
                "open": int,
                "charged": int,
                "stopped": int,
                "refused": int,
                "energy_kwh": float,
                "complete": bool,
                "age_s": float,
            }
        ),
        "ChargeDetailRecords": an_object(
            {"cdrs": a_list(ref("ChargeDetailRecord")), "next": str | None}
        ),
        "ChargeDetailRecord": _charge_detail_record(),
    }


def _charge_detail_record() -> dict[str, Any]:
    dimension = an_object({"type": str, "volume": float})
    period = {"start_date_time": datetime, "dimensions": a_list(dimension), "location_id": str}
    return an_object(
        {
            "id": str,
            "start_date_time": datetime,
            "end_date_time": datetime,
            "session_id": str,
            "cdr_token": an_object({"uid": str, "type": str, "contract_id": str}),
            "auth_method": str,
            "cdr_location": an_object({"id": str}),
            "charging_periods": a_list(an_object(period)),
            "total_energy": float,
            "total_time": float,
            "total_parking_time": float,
            "last_updated": datetime,
        }
    )


def _time(name: str, when: str) -> dict[str, Any]:
    about = f"Only sessions that began {when}. A time without an offset is in UTC."
    return parameter("query", name, _UTC, about, example="2026-11-26T16:00:00Z")


def _limit(most: int) -> dict[str, Any]:
    return parameter("query", "limit", whole_number(1, most, most), "Maximum number in the page.")
