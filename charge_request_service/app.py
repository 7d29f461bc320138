"""The gateway's Flask app: validates, names the session, forwards, passes the answer on."""

import time
from functools import partial
from random import Random
from urllib.parse import urlencode

import orjson
from flask import Response, g, request
from prometheus_client import Gauge

from charge_request_service.account import Account
from charge_request_service.balancer import BalancerClient
from charge_request_service.control_room.blueprint import control_room
from charge_request_service.doors.guard import add_doors
from charge_request_service.openapi import description
from charge_request_service.rush_hour import RushHours
from charge_request_service.settings import Settings
from grid_common.charge import ChargeRequest
from grid_common.interrupt import Caller
from grid_common.lean_flask import current_g, current_request
from grid_common.prefer import wait_s
from grid_common.problems import Unavailable
from grid_common.upstream import Answer
from grid_common.web import BytesResponse, ServiceApp, json_response


def create_app(settings: Settings) -> ServiceApp:
    """Build a gateway."""

    def why_not_ready() -> str | None:
        try:
            answer = balancer.get("/readyz", request_id=g.request_id)
        except Unavailable as problem:
            return problem.detail
        return None if answer.status == 200 else "the balancer is not ready"

    app = ServiceApp("gateway", settings, ready=why_not_ready)
    add_doors(app, settings)
    random = Random()  # noqa: S311 - jitter, no secrets
    balancer = BalancerClient(settings, random=random, log=app.log)
    account = Account(app.registry, app.log)
    Gauge(
        "charge_requests_in_progress", "Vehicles that wait or charge now", registry=app.registry
    ).set_function(lambda: app.drain.in_hand)
    openapi = orjson.dumps(
        description(
            settings.max_kwh,
            control_room=settings.control_room,
            keys=settings.charge_api_keys_file is not None,
            rate_limit=bool(settings.rate_limit),
        )
    )

    _add_views(app, balancer)
    _add_control_room(app, settings, balancer, account)

    @app.post("/charge")
    @app.held
    def charge(_caller: Caller) -> Response:
        asked, noted = current_request(), current_g()
        session = ChargeRequest.from_request(asked, max_kwh=settings.max_kwh).start_session()
        longest_s = wait_s(asked, settings.max_wait)
        noted.session = session  # from here on it is a vehicle
        try:
            answer = balancer.charge(session, request_id=noted.request_id, wait_s=longest_s)
        except Unavailable as problem:
            noted.why = problem.detail
            raise
        return _passed_on(answer)

    @app.after_request
    def note(response: Response) -> Response:
        noted = current_g()
        if "session" in noted:  # what was refused as malformed was no vehicle
            account.answered(
                noted.session,
                request_id=noted.request_id,
                status=response.status_code,
                took_s=time.perf_counter() - noted.began,
                why=noted.get("why"),
                caller=noted.caller,
            )
        return response

    @app.get("/openapi.json")
    def openapi_json() -> Response:
        return json_response(openapi)

    return app


def _add_views(app: ServiceApp, balancer: BalancerClient) -> None:
    @app.get("/substations")
    def substations() -> Response:
        return _passed_on(balancer.get("/substations", request_id=g.request_id))

    @app.get("/decisions")
    def decisions() -> Response:
        given = {name: request.args[name] for name in ("since", "limit") if name in request.args}
        path = f"/decisions?{urlencode(given)}"
        return _passed_on(balancer.get(path, request_id=g.request_id))

    @app.get("/history")
    def history() -> Response:
        return _passed_on(balancer.get("/history", request_id=g.request_id))


def _add_control_room(
    app: ServiceApp, settings: Settings, balancer: BalancerClient, account: Account
) -> None:
    if settings.control_room:
        charge = partial(balancer.charge, wait_s=settings.max_wait)
        rush_hours = RushHours(charge, drain=app.drain, account=account, log=app.log)
        app.register_blueprint(control_room(rush_hours, max_kwh=settings.max_kwh))


def _passed_on(answer: Answer) -> Response:
    response = BytesResponse(answer.body, answer.status, answer.content_type)
    if answer.retry_after is not None:
        response.headers["Retry-After"] = answer.retry_after
    return response
