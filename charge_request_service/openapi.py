"""The gateway's OpenAPI 3.1 description, built from the models that validate.

A contract test calls every path in it.
"""

from typing import Any

from charge_request_service.auth.guard import OPEN, UNLIMITED
from charge_request_service.balancers import openapi as balancers
from charge_request_service.control_room import openapi as control_room_api
from charge_request_service.sessions import openapi as sessions
from grid_common.api import openapi
from grid_common.api.charge import ChargeRequest
from grid_common.api.openapi import RETRY_AFTER, TEXT, problem


def description(
    max_kwh: float, *, control_room: bool = True, keys: bool = False, rate_limit: bool = False
) -> dict[str, Any]:
    """Return the description of a gateway; `max_kwh` is the maximum that a vehicle may request."""
    charge = openapi.charge()
    sessions.add_to_charge(charge)
    charge["responses"]["403"] = problem("A page of another site made a browser send this")
    paths = {"/charge": {"post": charge}} | balancers.paths() | sessions.paths()
    paths |= openapi.common_paths("The grid can accept vehicles")
    if control_room:
        paths |= control_room_api.paths()
    schemas = openapi.charge_schemas(ChargeRequest, max_kwh) | sessions.schemas()
    schemas["Charged"]["properties"]["status"] = {"enum": ["charged", "charging", "stopped"]}
    document = openapi.document(
        "EV charging grid",
        "Vehicles request energy here. The grid chooses the substation where each is charged "
        "first, and responds when it is charged.",
        paths,
        schemas | control_room_api.schemas(max_kwh) | balancers.schemas(),
    )
    _add_auth(document, keys=keys, rate_limit=rate_limit)
    return document


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
