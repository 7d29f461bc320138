"""The substation's power limit over HTTP: read it, or change it while vehicles charge."""

from collections.abc import Callable
from math import inf
from typing import Annotated, Any

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field

from grid_common.api.fields import checked, refuse_query
from grid_common.api.json_body import read_document
from grid_common.api.openapi import an_object, content, problem, ref
from grid_common.logs import Log
from grid_common.service import json_response
from substation_service.scheduler import Scheduler
from substation_service.substation import Substation

_MAX_KW = 1e9
_MAX_S = 30 * 86_400.0
_TAKES = {
    "power_limit_kw": f"a number from 0 to {_MAX_KW:.0f} (kW)",
    "for_s": f"a number over 0 and at most {_MAX_S:.0f} (seconds)",
}


class PowerLimitRequest(BaseModel):
    """The body of `PUT /power-limit`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    power_limit_kw: Annotated[float, Field(ge=0, le=_MAX_KW, allow_inf_nan=False)] = Field(
        description="Maximum power of all vehicles together from now on, kW; 0 pauses all."
    )
    for_s: Annotated[float, Field(gt=0, le=_MAX_S, allow_inf_nan=False)] | None = Field(
        None,
        description="Seconds of real time after which the standing limit returns. If omitted, "
        "this becomes the standing limit.",
    )


def power_limit_routes(
    substation: Substation, scheduler: Scheduler, clock: Callable[[], float], log: Log
) -> Blueprint:
    """Create the routes."""
    routes = Blueprint("power_limit", __name__)

    @routes.get("/power-limit")
    def show() -> Response:
        return _shown(substation, clock())

    @routes.put("/power-limit")
    def change() -> Response:
        refuse_query(request, PowerLimitRequest.model_fields)
        asked = checked(
            PowerLimitRequest,
            read_document(request),
            takes=_TAKES,
            example='{"power_limit_kw": 150}',
        )
        now = clock()
        substation.advance(now)
        before_kw = substation.power_limit_kw
        until = None if asked.for_s is None else now + asked.for_s
        substation.set_limit(asked.power_limit_kw, now, until)
        scheduler.changed()
        log.info(
            "power limit changed",
            request_id=g.request_id,
            power_limit_kw=asked.power_limit_kw,
            before_kw=before_kw,
            for_s=asked.for_s,
            load=substation.load,
            power_kw=round(substation.power_kw, 3),
        )
        return _shown(substation, now)

    return routes


def paths() -> dict[str, Any]:
    """Return the paths for OpenAPI."""
    shown = {"200": content("The current limit", ref("PowerLimit"))}
    refused = {
        "400": problem("The body is not valid; `errors` names each field"),
        "413": problem("The body is too large"),
        "415": problem("The body is not declared as JSON"),
    }
    return {
        "/power-limit": {
            "get": {"summary": "Maximum power of all vehicles together", "responses": shown},
            "put": {
                "summary": "Change the limit, permanently or for a time",
                "description": "Takes effect at once. A restart returns to POWER_LIMIT_KW.",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": ref("PowerLimitRequest")}},
                },
                "responses": shown | refused,
            },
        }
    }


def schemas() -> dict[str, Any]:
    """Return the schemas for OpenAPI."""
    return {
        "PowerLimitRequest": PowerLimitRequest.model_json_schema(),
        "PowerLimit": an_object(
            {
                "power_limit_kw": float,
                "standing_limit_kw": float,
                "returns_in_s": float | None,
            }
        ),
    }


def _shown(substation: Substation, now: float) -> Response:
    substation.advance(now)
    ends = substation.limit_ends
    return json_response(
        {
            "power_limit_kw": substation.power_limit_kw,
            "standing_limit_kw": substation.standing_limit_kw,
            "returns_in_s": None if ends == inf else round(max(0.0, ends - now), 3),
        }
    )
