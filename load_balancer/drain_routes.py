"""Routes that drain a substation: it finishes its vehicles and gets no new ones."""

import time

from flask import Blueprint, Response, abort, g, request

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
        shown = [views.substation_document(one, now) for one in substations]
        return json_response({"substations": shown})

    return routes
