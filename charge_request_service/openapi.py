"""The gateway's OpenAPI 3.1 description, built from the models that validate.

A contract test calls every path in it.
"""

from typing import Any

from charge_request_service.auth.guard import OPEN, UNLIMITED
from charge_request_service.control_room.rush_hour import State
from charge_request_service.control_room.rush_hour_request import RushHourRequest
from charge_request_service.sessions.openapi import add_to_charge
from charge_request_service.sessions.openapi import paths as session_paths
from charge_request_service.sessions.openapi import schemas as session_schemas
from grid_common.api import openapi
from grid_common.api.charge import ChargeRequest
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

# Seconds from the decision; null if a substation has no power at all.
_PREDICTED = dict.fromkeys(("start_s", "charging_s", "finish_s"), NULLABLE_NUMBER)


def description(
    max_kwh: float, *, control_room: bool = True, keys: bool = False, rate_limit: bool = False
) -> dict[str, Any]:
    """Return the description of a gateway.

    Args:
        max_kwh: maximum energy that one vehicle may request, kWh.
        control_room: whether it serves one.
        keys: whether callers need an API key.
        rate_limit: whether it limits each caller's rate.
    """
    charge = openapi.charge()
    add_to_charge(charge)
    charge["responses"]["403"] = problem("A page of another site made a browser send this")
    document = openapi.document(
        "EV charging grid",
        "Vehicles request energy here. The grid chooses the substation where each is charged "
        "first, and responds when it is charged.",
        {
            "/charge": {"post": charge},
            "/substations": {"get": _view("Every substation as the balancer sees it", "Grid")},
            "/substations/{name}/drain": {
                "put": _drain("Drain a substation: it finishes its vehicles and gets no new ones"),
                "delete": _drain("Return a drained substation to service"),
            },
            "/history": {"get": _view("The last ten minutes of every substation", "History")},
            "/decisions": {
                "get": _view(
                    "The last decisions of the balancer, in pages",
                    "Decisions",
                    [_SINCE, _LIMIT, _SESSION_ID, _BALANCER],
                    bad=True,
                )
            },
            "/balancers": {
                "get": {
                    "summary": "The balancers that this gateway knows",
                    "responses": {"200": content("The state of each", ref("Balancers"))},
                }
            },
        }
        | session_paths()
        | openapi.common_paths("The grid can accept vehicles")
        | (_control_room() if control_room else {}),
        _schemas(max_kwh),
    )
    _add_auth(document, keys=keys, rate_limit=rate_limit)
    return document


_SINCE = {
    "name": "since",
    "in": "query",
    "description": "List decisions with a higher sequence number than this.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999, "default": 0},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "Maximum number in a page, which also ends at 256 KiB. Continue with "
    "`since=next`.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100},
}


_SESSION_ID = {
    "name": "session_id",
    "in": "query",
    "description": "List only the decisions about this session.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
}
_BALANCER = {
    "name": "balancer",
    "in": "query",
    "description": "Ask the balancer with this `url` of `GET /balancers`: each numbers its own "
    "decisions. If omitted, the first that responds is asked.",
    "schema": {"type": "string"},
}
_SUBSTATION_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "As in `GET /substations`, percent-encoded",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}


def _drain(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": [_SUBSTATION_NAME],
        "responses": {
            "200": content("The substations of that name", ref("Substations")),
            "403": problem("The key is not an operator's, or a page of another site sent this"),
            "404": problem("No substation has that name"),
            "503": problem("The balancer cannot be reached"),
        },
    }


def _add_auth(document: dict[str, Any], *, keys: bool, rate_limit: bool) -> None:
    """Add the responses to callers that are not admitted."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            responses["421"] = problem("Sent to a name that is not this gateway's")
            if rate_limit and path != UNLIMITED:
                responses["429"] = problem("The caller exceeds the rate limit") | RETRY_AFTER
            if keys and path not in OPEN:
                responses["401"] = problem("No API key, or an unknown one") | {
                    "headers": {"WWW-Authenticate": {"schema": TEXT}}
                }
                operation["security"] = [{"key": []}]
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}


def _control_room() -> dict[str, Any]:
    cross_site = problem("A page of another site made the browser send this")
    return {
        "/": {
            "get": {
                "summary": "The control room, a page for people",
                "responses": {
                    "200": {
                        "description": "The page",
                        "content": {"text/html": {"schema": TEXT}},
                    },
                    "304": {"description": "The page has not changed"},
                },
            }
        },
        "/rush-hour": {
            "get": {
                "summary": "Progress of the current or the last rush hour",
                "responses": {"200": content("Its progress", ref("RushHour"))},
            },
            "post": {
                "summary": "Start a rush hour: vehicles that this gateway sends itself",
                "description": "One at a time. Its vehicles ramp up to the middle and down again.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref("RushHourRequest")}},
                },
                "responses": {
                    "202": content("Begun", ref("RushHour")),
                    "400": problem("The body or the query is not valid; `errors` names each field"),
                    "403": cross_site,
                    "409": problem("A rush hour is running"),
                    "413": problem("The body is too large"),
                    "415": problem("The body is not declared as JSON"),
                    "503": problem("The gateway is shutting down"),
                },
            },
            "delete": {
                "summary": "Stop the rush hour: disconnect its vehicles",
                "responses": {
                    "200": content("Its progress; `stopped` if one ran", ref("RushHour")),
                    "403": cross_site,
                },
            },
        },
    }


def _view(
    summary: str, schema: str, parameters: list[dict[str, Any]] | None = None, *, bad: bool = False
) -> dict[str, Any]:
    responses = {
        "200": content(summary, ref(schema)),
        "503": problem("The balancer cannot be reached"),
    }
    if bad:
        responses["400"] = problem("A parameter is not valid")
    return {"summary": summary, "parameters": parameters or [], "responses": responses}


def _schemas(max_kwh: float) -> dict[str, Any]:
    rush_hour = RushHourRequest.model_json_schema()
    rush_hour["properties"]["kwh"]["maximum"] = max_kwh
    schemas = openapi.charge_schemas(ChargeRequest, max_kwh) | session_schemas()
    schemas["Charged"]["properties"]["status"] = {"enum": ["charged", "charging", "stopped"]}
    return schemas | {
        "RushHourRequest": rush_hour,
        "Balancers": an_object(
            {
                "balancers": a_list(
                    an_object({"url": TEXT, "held": COUNT, "well": {"type": "boolean"}})
                )
            }
        ),
        "RushHour": an_object(
            {
                "state": {"enum": [state.value for state in State]},
                "vehicles": COUNT,
                "kwh": NULLABLE_NUMBER,
                "over_s": NULLABLE_NUMBER,
                "arrived": COUNT,
                "in_progress": COUNT,
                "charged": COUNT,
                "lost": COUNT,
                "hung_up": COUNT,
                "why_lost": NULLABLE_TEXT,
                "elapsed_s": NUMBER,
            }
        ),
        "Grid": an_object(
            {
                "policy": TEXT,
                "waiting": COUNT,
                "configuration_problem": NULLABLE_TEXT,
                "left_in_line": a_list(ref("LeftInLine")),
                "substations": a_list(ref("Substation")),
            }
        ),
        "Substations": an_object({"substations": a_list(ref("Substation"))}),
        "LeftInLine": an_object(
            {
                "session_id": TEXT,
                "vehicle_id": TEXT,
                "substation": TEXT,
                "waited_s": NUMBER,
                "predicted_start_s": NULLABLE_NUMBER,
                "predicted_finish_s": NULLABLE_NUMBER,
            }
        ),
        "Substation": an_object(
            {
                "name": TEXT,
                "address": TEXT,
                "health": {"enum": ["unknown", "up", "draining", "down"]},
                "reason": NULLABLE_TEXT,
                "drained": {"type": "boolean"},
                "warning": NULLABLE_TEXT,
                "gauge": NULLABLE_COUNT,
                "gauge_age_s": NULLABLE_NUMBER,
                "own_load": COUNT,
                "foreign_load": COUNT,
                "load": COUNT,
                "capacity": NULLABLE_COUNT,
                "power_kw": NULLABLE_NUMBER,
                "power_limit_kw": NULLABLE_NUMBER,
                "point_power_kw": NULLABLE_NUMBER,
                "committed_power_kw": NULLABLE_NUMBER,
                "remaining_energy_kwh": NULLABLE_NUMBER,
                "next_finish_s": NULLABLE_NUMBER,
                "last_finish_s": NULLABLE_NUMBER,
            }
        ),
        "History": an_object(
            {"age_s": NUMBER, "interval_s": NUMBER, "substations": a_list(ref("SubstationHistory"))}
        ),
        "SubstationHistory": an_object(
            {
                "name": TEXT,
                "address": TEXT,
                "load": a_list(NULLABLE_NUMBER),
                "power_kw": a_list(NULLABLE_NUMBER),
                "power_limit_kw": a_list(NULLABLE_NUMBER),
            }
        ),
        "Decisions": an_object(
            {"last": COUNT, "next": NULLABLE_COUNT, "decisions": a_list(ref("Decision"))}
        ),
        "Decision": an_object(
            {
                "sequence": {"type": "integer", "minimum": 1},
                "time": {"type": "string", "format": "date-time"},
                "session_id": TEXT,
                "vehicle_id": TEXT,
                "substation": TEXT,
                "attempt": {"type": "integer", "minimum": 1},
                "waited_s": NUMBER,
                "policy": TEXT,
                "reason": TEXT,
                "candidates": a_list(
                    an_object(
                        {
                            "substation": TEXT,
                            "load": COUNT,
                            "capacity": {"type": "integer", "minimum": 1},
                            "score": NUMBER,
                            "gauge_age_s": NUMBER,
                        }
                    )
                ),
                "candidates_left_out": COUNT,
                "passed_over": a_list(an_object({"substation": TEXT, "why": TEXT})),
                "passed_over_left_out": COUNT,
                "predicted": _or_null(an_object(_PREDICTED)),
                "next_best": _or_null(an_object({"substation": TEXT, **_PREDICTED})),
                "left_in_line_for": NULLABLE_TEXT,
            }
        ),
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
