"""Routes that drain a substation: it finishes its vehicles and gets no new ones."""

import time
from typing import Any

from flask import Blueprint, Response, abort, g, request

from grid_common.api.openapi import content, problem
from grid_common.logs import Log
from grid_common.service import json_response
from load_balancer import views
from load_balancer.routing.pool import Pool


def drain_routes(pool: Pool, log: Log) -> Blueprint:
    """Create the routes."""
    routes = Blueprint("drain", __name__)

    # A substation's name may contain a slash.
    @routes.route("/substations/<path:name>/drain", methods=["PUT", "DELETE"])
    def drain(name: str) -> Response:
        drained = request.method == "PUT"
        was_drained = name in pool.drained
        substations = pool.set_drained(name, drained, time.monotonic())
        if not (substations or was_drained):
            abort(404, f"No substation is named {name[:80]!r}; GET /substations lists them.")
        if drained is not was_drained:
            log.warning(
                "substation drained" if drained else "substation no longer drained",
                substation=name,
                charging_there=sum(substation.own for substation in substations),
                request_id=g.request_id,
            )
        now = time.monotonic()
        return json_response(
            {
                "substations": [
                    views.substation_document(substation, now) for substation in substations
                ]
            }
        )

    return routes


def paths() -> dict[str, Any]:
    """Return the paths for OpenAPI."""

    def operation(summary: str) -> dict[str, Any]:
        return {
            "summary": summary,
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "description": "As in `GET /substations`, percent-encoded",
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                }
            ],
            "responses": {
                "200": content("The substations of that name", {"type": "object"}),
                "404": problem("No substation has that name"),
            },
        }

    return {
        "/substations/{name}/drain": {
            "put": operation(
                "Drain a substation: it finishes its vehicles and gets no new ones. Idempotent"
            ),
            "delete": operation("Return a drained substation to service. Idempotent"),
        }
    }
