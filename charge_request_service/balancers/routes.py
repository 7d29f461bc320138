"""The gateway's routes to the balancers: their views, and the command that drains a substation."""

from functools import partial
from http import HTTPStatus
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, g, request

from charge_request_service.auth.problems import OperatorsOnly
from charge_request_service.balancers.directory import BalancerDirectory
from charge_request_service.balancers.queries import BalancerQueries
from grid_common.http.response import UpstreamResponse
from grid_common.logs import Log
from grid_common.service import BytesResponse, json_response


def balancer_routes(directory: BalancerDirectory, queries: BalancerQueries, log: Log) -> Blueprint:
    """Create the routes."""
    routes = Blueprint("balancers", __name__)

    def view(path: str) -> Response:
        return passed_on(queries.get(path, request_id=g.request_id))

    for name in ("substations", "history"):
        routes.add_url_rule(f"/{name}", name, partial(view, f"/{name}"))

    @routes.get("/decisions")
    def decisions() -> Response:
        taken = ("since", "limit", "session_id")
        given = {name: request.args[name] for name in taken if name in request.args}
        path = f"/decisions?{urlencode(given)}"
        of = request.args.get("balancer")
        return passed_on(queries.get(path, request_id=g.request_id, of=of))

    @routes.get("/balancers")
    def balancers() -> Response:
        return json_response({"balancers": directory.document()})

    # A substation's name may contain a slash.
    @routes.route("/substations/<path:name>/drain", methods=["PUT", "DELETE"])
    def drain(name: str) -> Response:
        if not g.operator:
            raise OperatorsOnly
        path = f"/substations/{quote(name, safe='')}/drain"
        response = queries.command_all(path, request_id=g.request_id, method=request.method)
        if response.status == HTTPStatus.OK:
            drained = request.method == "PUT"
            log.warning(
                "substation drained" if drained else "substation no longer drained",
                substation=name,
                request_id=g.request_id,
                **g.caller,
            )
        return passed_on(response)

    return routes


def passed_on(received: UpstreamResponse) -> Response:
    """Return a balancer's response unchanged."""
    response = BytesResponse(received.body, received.status, received.content_type)
    if received.retry_after is not None:
        response.headers["Retry-After"] = received.retry_after
    return response
