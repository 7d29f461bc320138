"""The control room in the gateway's OpenAPI description."""

from typing import Any

from charge_request_service.control_room.rush_hour import State
from charge_request_service.control_room.rush_hour_request import RushHourRequest
from grid_common.api.openapi import TEXT, an_object, content, problem, ref


def paths() -> dict[str, Any]:
    """Describe the page and the rush hour."""
    cross_site = problem("A page of another site made the browser send this")
    page = {"description": "The page", "content": {"text/html": {"schema": TEXT}}}
    return {
        "/": {
            "get": {
                "summary": "The control room, a page for people",
                "responses": {"200": page, "304": {"description": "The page has not changed"}},
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


def schemas(max_kwh: float) -> dict[str, Any]:
    """Describe the rush hour's request and response."""
    request = RushHourRequest.model_json_schema()
    request["properties"]["kwh"]["maximum"] = max_kwh
    progress = {
        "state": State,
        "vehicles": int,
        "kwh": float | None,
        "over_s": float | None,
        "arrived": int,
        "in_progress": int,
        "charged": int,
        "lost": int,
        "hung_up": int,
        "why_lost": str | None,
        "elapsed_s": float,
    }
    return {"RushHourRequest": request, "RushHour": an_object(progress)}
