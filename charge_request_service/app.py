"""The gateway's Flask app: validates, assigns a session ID, forwards, returns the response."""

import time
from http import HTTPStatus
from random import Random

import gevent
from flask import Response, g
from prometheus_client import Gauge

from charge_request_service.access_log import AccessLog
from charge_request_service.auth.guard import add_auth
from charge_request_service.balancers.directory import BalancerDirectory
from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.balancers.routes import balancer_routes, passed_on
from charge_request_service.control_room.blueprint import control_room
from charge_request_service.control_room.rush_hour import RushHours
from charge_request_service.openapi import description
from charge_request_service.sessions.durable import DurableSessions, Reply
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.problems import KeyReused, SessionRunning, location
from charge_request_service.sessions.record import Begin, Kind, State, new_session_id
from charge_request_service.sessions.routes import session_routes
from charge_request_service.sessions.sessions import Sessions
from charge_request_service.sessions.terms import read_terms
from charge_request_service.settings import Settings
from grid_common.api.charge import ChargeRequest
from grid_common.api.prefer import wait_s
from grid_common.api.problems import Unavailable
from grid_common.http.cancellation import Caller
from grid_common.lean_flask import current_g, current_request
from grid_common.service import ServiceApp, json_response


def create_app(settings: Settings) -> ServiceApp:
    """Create a gateway's app."""
    app = ServiceApp("gateway", settings, ready=lambda: queries.reason_not_ready(g.request_id))
    add_auth(app, settings)
    random = Random()  # noqa: S311 - jitter, not security
    directory = BalancerDirectory(settings, random=random, log=app.log)
    queries = BalancerQueries(directory)
    forwarder = Forwarder(directory, queries, random=random)
    access_log = AccessLog(app.registry, app.log)
    Gauge(
        "charge_requests_in_progress", "Vehicles waiting or charging now", registry=app.registry
    ).set_function(lambda: app.drain.in_flight)
    app.describe(
        description(
            settings.max_kwh,
            control_room=settings.control_room,
            keys=settings.charge_api_keys_file is not None,
            rate_limit=bool(settings.rate_limit),
        )
    )

    ledger = _open_ledger(app, settings)
    durable = DurableSessions(
        ledger, forwarder, queries, grace_s=settings.reconnect_grace, drain=app.drain, log=app.log
    )
    sessions = Sessions(durable, ledger, forwarder, queries, app.log)
    gevent.spawn(sessions.recover)

    _add_charge(app, settings, sessions)
    app.register_blueprint(balancer_routes(directory, queries, app.log))
    if settings.control_room:
        rush_hours = RushHours(
            sessions,
            max_wait_s=settings.max_wait,
            drain=app.drain,
            access_log=access_log,
            log=app.log,
        )
        app.register_blueprint(control_room(rush_hours, max_kwh=settings.max_kwh))
    app.register_blueprint(session_routes(sessions, ledger, queries))

    @app.after_request
    def note(response: Response) -> Response:
        noted = current_g()
        if "session" in noted:  # a malformed request is not counted as a vehicle
            access_log.answered(
                noted.session,
                request_id=noted.request_id,
                status=response.status_code,
                took_s=time.perf_counter() - noted.began,
                why=noted.get("why"),
                caller=noted.caller,
            )
        return response

    return app


def _open_ledger(app: ServiceApp, settings: Settings) -> Ledger:
    ledger = Ledger(
        read_ledger_url(settings.ledger_url),
        retention_s=settings.ledger_retention,
        key_retention_s=settings.key_retention,
        log=app.log,
        registry=app.registry,
    )
    app.at_exit.append(ledger.close)
    return ledger


def _add_charge(app: ServiceApp, settings: Settings, sessions: Sessions) -> None:
    @app.post("/charge")
    @app.held
    def charge(_caller: Caller) -> Response:
        asked, noted = current_request(), current_g()
        charge_request = ChargeRequest.from_request(asked, max_kwh=settings.max_kwh)
        terms = read_terms(asked)
        longest_s = wait_s(asked, settings.max_wait)
        session = charge_request.start_session(new_session_id(time.time_ns() // 1_000_000))
        noted.session = session  # from here on it counts as a vehicle
        begin = sessions.begin(
            session,
            terms=terms,
            owner=noted.caller.get("caller", ""),
            wait_s=longest_s,
            vehicle_id=charge_request.vehicle_id,
        )
        try:
            if begin.kind is Kind.PLAIN:
                response = sessions.charge_plain(begin, session, request_id=noted.request_id)
                return passed_on(response)
            reply = sessions.durable.charge(begin, request_id=noted.request_id)
        except (KeyReused, SessionRunning):
            del noted.session  # a repeated request does not count as a vehicle
            raise
        except Unavailable as problem:
            noted.why = problem.detail
            raise
        if reply.replayed:
            del noted.session
        return _replied(reply, begin)


def _replied(reply: Reply, begin: Begin) -> Response:
    """Respond to the caller of a session that outlives its connection."""
    if reply.response is not None:
        response = passed_on(reply.response)
    else:
        accepted = {
            "state": State.WAITING,
            "session_id": reply.session_id,
            "vehicle_id": begin.vehicle,
            "kwh": begin.kwh,
        }
        response = json_response(accepted, HTTPStatus.ACCEPTED)
        response.headers["Location"] = location(reply.session_id)
        response.headers["Preference-Applied"] = "respond-async"
    if reply.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response
