"""The balancer's session routes: show sessions, and stop one."""

import re
from typing import Any

from flask import Blueprint, Response, abort, request

from grid_common.api.identifier import ID
from grid_common.api.openapi import (
    IDENTIFIER,
    SESSION_ID,
    a_list,
    an_object,
    content,
    parameter,
    problem,
    ref,
)
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.service import json_response
from load_balancer.registers import Registers
from load_balancer.session_views import session_document
from load_balancer.sessions import Sessions

MAX_IDS = 100
_IDS = re.compile(rf"{ID.pattern}(,{ID.pattern}){{0,{MAX_IDS - 1}}}", re.ASCII)


def session_routes(sessions: Sessions, registers: Registers) -> Blueprint:
    """Create the routes."""
    routes = Blueprint("sessions", __name__)

    @routes.get("/sessions")
    def some() -> Response:
        reported = request.args.get("ids", "")
        if not _IDS.fullmatch(reported):
            raise BadRequest(
                [FieldFault("ids", f"it takes 1 to {MAX_IDS} session IDs, comma-separated")]
            )
        known = [(one, registers.sessions.shown(one)) for one in dict.fromkeys(reported.split(","))]
        return json_response(
            {
                "sessions": [
                    session_document(led, registers, ask=False) for _, led in known if led
                ],
                "unknown": [one for one, led in known if led is None],
            }
        )

    @routes.get("/sessions/<session_id>")
    def one(session_id: str) -> Response:
        led = registers.sessions.shown(session_id)
        if led is None:
            abort(404, "This balancer leads no session with that ID, and led none recently.")
        return json_response(session_document(led, registers))

    @routes.delete("/sessions/<session_id>")
    def stop(session_id: str) -> Response:
        document = sessions.stop(session_id)
        if document is None:
            abort(404, "No session with that ID is known, here or at a substation that responds.")
        return json_response(document)

    return routes


def read_session_id(reported: str | None) -> str | None:
    """Read a parameter with a session ID, if it is given.

    Raises:
        BadRequest: it is not a session ID.
    """
    if reported is not None and not ID.fullmatch(reported):
        raise BadRequest([FieldFault("session_id", "it takes a session ID")])
    return reported


def paths() -> dict[str, Any]:
    """Return the paths for OpenAPI."""
    return {
        "/sessions": {
            "get": {
                "summary": "The states of some sessions, as last reported by their substations",
                "parameters": [
                    parameter(
                        "query",
                        "ids",
                        IDENTIFIER,
                        f"1 to {MAX_IDS} IDs, comma-separated",
                        required=True,
                    )
                ],
                "responses": {
                    "200": content("Those that are known", ref("Sessions")),
                    "400": problem("`ids` is missing or not valid"),
                },
            }
        },
        "/sessions/{session_id}": {
            "get": {
                "summary": "The state of a session, as its substation reports it now",
                "parameters": [SESSION_ID],
                "responses": {
                    "200": content("The session", ref("Session")),
                    "404": problem("It is not known here"),
                },
            },
            "delete": {
                "summary": "Stop a session. Idempotent",
                "parameters": [SESSION_ID],
                "responses": {
                    "200": content("The energy that it received", ref("Ended")),
                    "404": problem("It is not known, here or at any substation that responds"),
                },
            },
        },
    }


def schemas() -> dict[str, Any]:
    """Return the schemas for OpenAPI."""
    leg = an_object(
        {"substation": str, "energy_kwh": float, "charging_s": float}, optional=("charging_s",)
    )
    session = {
        "state": {"enum": ["waiting", "charging", "charged", "stopped", "refused"]},
        "session_id": str,
        "vehicle_id": str,
        "kwh": float,
        "energy_kwh": float,
        "substation": str | None,
        "power_kw": float | None,
        "predicted_end_s": float | None,
        "attempts": int,
        "legs": a_list(leg),
    }
    return {
        "Session": an_object(session),
        "Sessions": an_object({"sessions": a_list(ref("Session")), "unknown": a_list(str)}),
        "Ended": an_object(
            {
                "status": {"enum": ["charged", "charging", "stopped"]},
                "session_id": str,
                "energy_kwh": float,
                "legs": a_list(leg),
                "reason": str,
            },
            optional=("energy_kwh", "legs", "reason"),
        ),
    }
