"""The gateway's Flask app: validates, names the session, forwards, passes the answer on."""

import time
from collections.abc import Callable
from functools import partial
from random import Random
from urllib.parse import urlencode

import orjson
from flask import Response, g, request
from prometheus_client import Counter, Gauge, Histogram

from charge_request_service.balancer import BalancerClient
from charge_request_service.control_room.blueprint import control_room
from charge_request_service.control_room.same_origin import refuse_cross_site
from charge_request_service.doors.guard import add_doors
from charge_request_service.openapi import description
from charge_request_service.rush_hour import RushHours
from charge_request_service.settings import Settings
from grid_common.charge import ChargeRequest
from grid_common.interrupt import Caller
from grid_common.prefer import wait_s
from grid_common.problems import Unavailable
from grid_common.upstream import Answer
from grid_common.web import DURATION_BUCKETS, ServiceApp


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
    requests = Counter("charge_requests", "Vehicles answered", ["status"], registry=app.registry)
    duration = Histogram(
        "charge_request_duration_seconds",
        "Time from a vehicle's arrival to its answer",
        buckets=DURATION_BUCKETS,
        registry=app.registry,
    )
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

    def count_vehicle(status: int, took_s: float) -> None:
        requests.labels(str(status)).inc()
        duration.observe(took_s)

    _add_control_room(app, settings, balancer, count_vehicle)

    @app.post("/charge")
    @app.held
    def charge(_caller: Caller) -> Response:
        refuse_cross_site(request.headers.get, request.host)
        session = ChargeRequest.from_request(request, max_kwh=settings.max_kwh).start_session()
        longest_s = wait_s(request, settings.max_wait)
        g.session = session  # from here on it is a vehicle
        answer = balancer.charge(session, request_id=g.request_id, wait_s=longest_s)
        app.log.info(
            "answered",
            session_id=session.session_id,
            vehicle_id=session.vehicle_id,
            request_id=g.request_id,
            kwh=session.kwh,
            status=answer.status,
            took_s=round(time.perf_counter() - g.began, 3),
            **g.caller,
        )
        return _passed_on(answer)

    @app.after_request
    def count(response: Response) -> Response:
        if "session" in g:  # what was refused as malformed was no vehicle
            count_vehicle(response.status_code, time.perf_counter() - g.began)
        return response

    @app.get("/substations")
    def substations() -> Response:
        return _passed_on(balancer.get("/substations", request_id=g.request_id))

    @app.get("/decisions")
    def decisions() -> Response:
        query = urlencode({"since": request.args.get("since", "0")})
        return _passed_on(balancer.get(f"/decisions?{query}", request_id=g.request_id))

    @app.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(openapi, content_type="application/json")

    return app


def _add_control_room(
    app: ServiceApp,
    settings: Settings,
    balancer: BalancerClient,
    count: Callable[[int, float], None],
) -> None:
    if settings.control_room:
        charge = partial(balancer.charge, wait_s=settings.max_wait)
        rush_hours = RushHours(charge, drain=app.drain, count=count, log=app.log)
        app.register_blueprint(control_room(rush_hours, max_kwh=settings.max_kwh))


def _passed_on(answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status, content_type=answer.content_type)
    if answer.retry_after is not None:
        response.headers["Retry-After"] = answer.retry_after
    return response
