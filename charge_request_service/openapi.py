"""The gateway's OpenAPI 3.1 description, built from the model that validates.

A contract test calls every line of it.
"""

from typing import Any

from charge_request_service.rush_hour import State
from charge_request_service.rush_hour_request import RushHourRequest
from grid_common.charge import ChargeRequest
from grid_common.problems import CONTENT_TYPE

_NUMBER = {"type": "number", "minimum": 0}
_NULLABLE_NUMBER = {"type": ["number", "null"], "minimum": 0}
_NULLABLE_INTEGER = {"type": ["integer", "null"], "minimum": 0}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def description(max_kwh: float, *, control_room: bool = True) -> dict[str, Any]:
    """Build the description of a gateway that takes up to `max_kwh` kWh a vehicle."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EV charging grid",
            "version": "1.0.0",
            "description": "Vehicles ask for energy here; the grid finds each the least loaded "
            "substation and answers when it is charged.",
        },
        "paths": {
            "/charge": {"post": _charge()},
            "/substations": {"get": _view("Every substation as the balancer sees it", "Grid")},
            "/decisions": {
                "get": _view("The last decisions of the balancer", "Decisions", [_SINCE], bad=True)
            },
            "/healthz": {"get": _text("The process lives")},
            "/readyz": {"get": _text("The grid can take vehicles")},
            "/metrics": {"get": _text("Prometheus metrics")},
            "/openapi.json": {
                "get": {
                    "summary": "This description",
                    "responses": {"200": _content("The description", {"type": "object"})},
                }
            },
        }
        | (_control_room() if control_room else {}),
        "components": {"schemas": _schemas(max_kwh)},
    }


_SINCE = {
    "name": "since",
    "in": "query",
    "description": "List decisions with a higher sequence number than this.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999, "default": 0},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N` (RFC 7240): refuse after N seconds without a free point.",
    "schema": {"type": "string", "pattern": r"^wait=\d{1,9}$"},
    "example": "wait=30",
}


def _charge() -> dict[str, Any]:
    return {
        "summary": "Charge a vehicle",
        "description": "Held while the vehicle charges; hang up to stop. No body means 10 kWh.",
        "parameters": [_PREFER],
        "requestBody": {
            "required": False,
            "content": {"application/json": {"schema": _ref("ChargeRequest")}},
        },
        "responses": {
            "200": _content("Charged", _ref("Charged")),
            "202": _content("Charging goes on after this answer", _ref("Charged")),
            "400": _problem("The body or a header is not valid; `errors` names each field"),
            "403": _problem("The page of another site made a browser send this"),
            "413": _problem("The body is too large"),
            "415": _problem("The body is not declared as JSON"),
            "503": _problem("No substation can take the vehicle in time")
            | {"headers": {"Retry-After": {"description": "Seconds", "schema": _COUNT}}},
        },
    }


def _control_room() -> dict[str, Any]:
    cross_site = _problem("A page of another site made the browser send this")
    return {
        "/": {
            "get": {
                "summary": "The control room, a page for people",
                "responses": {
                    "200": {
                        "description": "The page",
                        "content": {"text/html": {"schema": _TEXT}},
                    },
                    "304": {"description": "The page has not changed"},
                },
            }
        },
        "/rush-hour": {
            "get": {
                "summary": "How far the rush hour is, or the last one was",
                "responses": {"200": _content("Its progress", _ref("RushHour"))},
            },
            "post": {
                "summary": "Start a rush hour of vehicles that this gateway sends itself",
                "description": "One at a time. Its vehicles ramp up to the middle and down again.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("RushHourRequest")}},
                },
                "responses": {
                    "202": _content("Begun", _ref("RushHour")),
                    "400": _problem("The body is not valid; `errors` names each field"),
                    "403": cross_site,
                    "409": _problem("A rush hour is running"),
                    "413": _problem("The body is too large"),
                    "415": _problem("The body is not declared as JSON"),
                    "503": _problem("The gateway is shutting down"),
                },
            },
            "delete": {
                "summary": "Stop the rush hour: hang up on its vehicles",
                "responses": {
                    "200": _content("Its progress; `stopped` if one ran", _ref("RushHour")),
                    "403": cross_site,
                },
            },
        },
    }


def _view(
    summary: str, schema: str, parameters: list[dict[str, Any]] | None = None, *, bad: bool = False
) -> dict[str, Any]:
    responses = {
        "200": _content(summary, _ref(schema)),
        "503": _problem("The balancer cannot be reached"),
    }
    if bad:
        responses["400"] = _problem("A parameter is not valid")
    return {"summary": summary, "parameters": parameters or [], "responses": responses}


def _text(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {"text/plain": {"schema": _TEXT}}},
            "503": _problem("Not now"),
        },
    }


def _content(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": summary, "content": {"application/json": {"schema": schema}}}


def _problem(summary: str) -> dict[str, Any]:
    return {"description": summary, "content": {CONTENT_TYPE: {"schema": _ref("Problem")}}}


def _ref(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _schemas(max_kwh: float) -> dict[str, Any]:
    request = ChargeRequest.model_json_schema()
    rush_hour = RushHourRequest.model_json_schema()
    for schema in (request, rush_hour):
        schema["properties"]["kwh"]["maximum"] = max_kwh
    return {
        "ChargeRequest": request,
        "RushHourRequest": rush_hour,
        "RushHour": _object(
            {
                "state": {"enum": [state.value for state in State]},
                "vehicles": _COUNT,
                "kwh": _NULLABLE_NUMBER,
                "over_s": _NULLABLE_NUMBER,
                "arrived": _COUNT,
                "in_progress": _COUNT,
                "charged": _COUNT,
                "lost": _COUNT,
                "hung_up": _COUNT,
                "why_lost": {"type": ["string", "null"]},
                "elapsed_s": _NUMBER,
            }
        ),
        "Charged": _object(
            {
                "status": {"enum": ["charged", "charging"]},
                "session_id": _TEXT,
                "vehicle_id": _TEXT,
                "kwh": {"type": "number", "exclusiveMinimum": 0, "maximum": max_kwh},
                "substation": _TEXT,
                "attempts": {"type": "integer", "minimum": 1},
                "waited_s": _NUMBER,
                "charging_s": _NUMBER,
            }
        ),
        "Problem": _object(
            {
                "type": _TEXT,
                "title": _TEXT,
                "status": {"type": "integer"},
                "detail": _TEXT,
                "session_id": _TEXT,
                "errors": _list(_object({"field": _TEXT, "detail": _TEXT})),
            },
            optional=("session_id", "errors"),
        ),
        "Grid": _object(
            {"policy": _TEXT, "waiting": _COUNT, "substations": _list(_ref("Substation"))}
        ),
        "Substation": _object(
            {
                "name": _TEXT,
                "address": _TEXT,
                "health": {"enum": ["unknown", "up", "draining", "down"]},
                "reason": {"type": ["string", "null"]},
                "gauge": _NULLABLE_INTEGER,
                "gauge_age_s": _NULLABLE_NUMBER,
                "own_load": _COUNT,
                "foreign_load": _COUNT,
                "load": _COUNT,
                "capacity": _NULLABLE_INTEGER,
                "power_kw": _NULLABLE_NUMBER,
                "power_limit_kw": _NULLABLE_NUMBER,
            }
        ),
        "Decisions": _object({"last": _COUNT, "decisions": _list(_ref("Decision"))}),
        "Decision": _object(
            {
                "sequence": {"type": "integer", "minimum": 1},
                "time": {"type": "string", "format": "date-time"},
                "session_id": _TEXT,
                "vehicle_id": _TEXT,
                "substation": _TEXT,
                "attempt": {"type": "integer", "minimum": 1},
                "waited_s": _NUMBER,
                "policy": _TEXT,
                "reason": _TEXT,
                "candidates": _list(
                    _object(
                        {
                            "substation": _TEXT,
                            "load": _COUNT,
                            "capacity": {"type": "integer", "minimum": 1},
                            "score": _NUMBER,
                            "gauge_age_s": _NUMBER,
                        }
                    )
                ),
                "passed_over": _list(_object({"substation": _TEXT, "why": _TEXT})),
            }
        ),
    }
