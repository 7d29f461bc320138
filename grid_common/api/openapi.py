"""Common parts of the services' OpenAPI 3.1 descriptions: `POST /charge`, health, problems."""

from collections.abc import Mapping
from datetime import datetime
from enum import EnumType
from types import UnionType
from typing import Any

from grid_common.api.charge import METERED, ChargeRequest, SessionRequest
from grid_common.api.identifier import ID
from grid_common.api.problem_type import CONTENT_TYPE

TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_SCHEMAS: dict[object, dict[str, Any]] = {
    str: TEXT,
    int: _COUNT,
    float: {"type": "number", "minimum": 0},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
}
IDENTIFIER = {"type": "string", "pattern": f"^{ID.pattern}$"}
RETRY_AFTER = {"headers": {"Retry-After": {"description": "Seconds", "schema": _COUNT}}}
_PREDICTED = "predicted_charging_s"


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the schema of a Python type, an enum or `X | None`; a schema itself is returned as is.

    Numbers are never negative.
    """
    if isinstance(kind, dict):
        return kind
    if isinstance(kind, UnionType):
        given = schema_of(kind.__args__[0])
        return given | {"type": [given["type"], "null"]}
    if isinstance(kind, EnumType):
        return {"enum": list(kind)}
    return _SCHEMAS[kind]


def parameter(place: str, name: str, kind: Any, about: str = "", **members: Any) -> dict[str, Any]:
    """Describe a parameter; `place` is query, header or path, `members` may have an `example`."""
    required = {"required": True} if place == "path" else {}
    described = {"description": about} if about else {}
    schema = schema_of(kind)
    return {"name": name, "in": place, **required, **described, "schema": schema, **members}


def text_like(pattern: str) -> dict[str, Any]:
    """Describe text that matches a pattern."""
    return {"type": "string", "pattern": pattern}


def whole_number(least: int, most: int | None = None, default: int | None = None) -> dict[str, Any]:
    """Describe a whole number within bounds."""
    bounds = {"minimum": least, "maximum": most, "default": default}
    return {"type": "integer"} | {name: one for name, one in bounds.items() if one is not None}


SESSION_ID = parameter("path", "session_id", IDENTIFIER)
_PREFER = parameter(
    "header",
    "Prefer",
    text_like(r"^wait=\d{1,9}$"),
    "`wait=N` (RFC 7240): refuse if no point is free within N seconds.",
    example="wait=30",
)


def inner_description(title: str, max_kwh: float, *, waits: bool) -> dict[str, Any]:
    """Describe a service behind the gateway, for those who build or call a compatible one.

    If no point is free, a vehicle either waits, as at a balancer, or is refused.
    """
    schemas = charge_schemas(SessionRequest, max_kwh)
    if not waits:  # a substation does not retry either
        for name in ("attempts", "waited_s"):
            del schemas["Charged"]["properties"][name]
            schemas["Charged"]["required"].remove(name)
        del schemas["Charged"]["properties"][_PREDICTED]
        schemas["Charged"]["required"] += METERED
    return document(
        title,
        "Behind the gateway: accepts the vehicles that the gateway forwards.",
        {"/charge": {"post": charge(waits=waits)}} | common_paths("It can be given vehicles"),
        schemas,
    )


def document(
    title: str, about: str, paths: dict[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    """Assemble a description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1.0.0", "description": about},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def charge(*, waits: bool = True) -> dict[str, Any]:
    """Describe `POST /charge`."""
    return {
        "summary": "Charge a vehicle",
        "description": "Held while the vehicle charges; disconnect to stop. No body means 10 kWh.",
        "parameters": [_PREFER] if waits else [],
        "requestBody": {
            "required": False,
            "content": {"application/json": {"schema": ref("ChargeRequest")}},
        },
        "responses": {
            "200": content("Charged", ref("Charged")),
            "202": content("Charging continues after this response", ref("Charged")),
            "400": problem(
                "The body, a header or the query is not valid; `errors` names each field"
            ),
            "413": problem("The body is too large"),
            "415": problem("The body is not declared as JSON"),
            "503": problem("No substation can accept the vehicle in time") | RETRY_AFTER,
        },
    }


def drain_paths(shown: dict[str, Any], problems: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe the path that drains a substation; `shown` is the schema of its response."""

    def operation(summary: str) -> dict[str, Any]:
        return {
            "summary": f"{summary}. Idempotent",
            "parameters": [
                parameter(
                    "path",
                    "name",
                    text_like("^[A-Za-z0-9_-]{1,64}$"),
                    "As in `GET /substations`, percent-encoded",
                )
            ],
            "responses": {
                "200": content("The substations of that name", shown),
                "404": problem("No substation has that name"),
                **(problems or {}),
            },
        }

    return {
        "/substations/{name}/drain": {
            "put": operation("Drain a substation: it finishes its vehicles and gets no new ones"),
            "delete": operation("Return a drained substation to service"),
        }
    }


def common_paths(ready: str) -> dict[str, Any]:
    """Describe the paths that every service has; `ready` says what it is ready for."""
    return {
        "/healthz": {"get": text("Liveness check")},
        "/readyz": {"get": text(ready)},
        "/metrics": {"get": text("Prometheus metrics")},
        "/openapi.json": {
            "get": {
                "summary": "This description",
                "responses": {"200": content("The description", {"type": "object"})},
            }
        },
    }


def charge_schemas(request: type[ChargeRequest], max_kwh: float) -> dict[str, Any]:
    """Describe the request and response of `POST /charge`."""
    takes = request.model_json_schema()
    takes["properties"]["kwh"]["maximum"] = max_kwh
    return {
        "ChargeRequest": takes,
        "Charged": an_object(
            {
                "status": {"enum": ["charged", "charging"]},
                "session_id": str,
                "vehicle_id": str,
                "kwh": {"type": "number", "exclusiveMinimum": 0, "maximum": max_kwh},
                "substation": str,
                "attempts": {"type": "integer", "minimum": 1},
                "waited_s": float,
                "charging_s": float,
                _PREDICTED: float,
                **dict.fromkeys(METERED, float),
            },
            optional=(_PREDICTED, *METERED),
        ),
        "Problem": an_object(
            {
                "type": str,
                "title": str,
                "status": {"type": "integer"},
                "detail": str,
                "session_id": str,
                "errors": a_list(an_object({"field": str, "detail": str})),
            },
            optional=("session_id", "errors"),
        ),
    }


def text(summary: str) -> dict[str, Any]:
    """Describe a plain-text page."""
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {"text/plain": {"schema": TEXT}}},
            "503": problem("Not now"),
        },
    }


def content(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a JSON response."""
    return {"description": summary, "content": {"application/json": {"schema": schema}}}


def problem(summary: str) -> dict[str, Any]:
    """Describe a problem document as a response."""
    return {"description": summary, "content": {CONTENT_TYPE: {"schema": ref("Problem")}}}


def ref(schema: str) -> dict[str, Any]:
    """Return a reference to one of the description's schemas."""
    return {"$ref": f"#/components/schemas/{schema}"}


def an_object(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe an object by the types or schemas of its members."""
    return {
        "type": "object",
        "properties": {name: schema_of(kind) for name, kind in properties.items()},
        "required": [name for name in properties if name not in optional],
    }


def a_list(items: Any) -> dict[str, Any]:
    """Describe a list by the type or schema of its items."""
    return {"type": "array", "items": schema_of(items)}


def a_map(values: Any) -> dict[str, Any]:
    """Describe an object whose members have any names, by the type or schema of their values."""
    return {"type": "object", "additionalProperties": schema_of(values)}
