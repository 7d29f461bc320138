"""The balancer's Flask app: connects the pool to the network; its views parse, call and map."""

import time
from random import Random
from typing import TYPE_CHECKING

import gevent
from flask import Response, request
from prometheus_client import Counter, Gauge

from grid_common.api.charge import SessionRequest
from grid_common.api.prefer import wait_s
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.api.session_headers import owner_of, sent_of, terms
from grid_common.histograms import Histograms
from grid_common.http.cancellation import Caller
from grid_common.lean_flask import current_g, current_request
from grid_common.service import ServiceApp, json_response
from load_balancer import views
from load_balancer.decisions import MAX_OF_A_PAGE, DecisionRecord
from load_balancer.dispatcher import Dispatcher
from load_balancer.drain_routes import drain_routes
from load_balancer.gateway_lease import Gateways
from load_balancer.history import INTERVAL_S, History
from load_balancer.metrics import PREDICTION_ERRORS, BalancerCollector
from load_balancer.openapi import description
from load_balancer.peers import Peers
from load_balancer.registers import Registers
from load_balancer.resume import HOW, Resume
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.pool import Pool
from load_balancer.session_routes import read_session_id, session_routes
from load_balancer.sessions import Sessions
from load_balancer.settings import Settings
from load_balancer.substation_watch import SubstationWatch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def create_app(settings: Settings) -> ServiceApp:
    """Create a balancer with its own state, and start to watch its substations."""
    return Balancer(settings).app


class Balancer:
    """One balancer: the pool, and everything that updates and uses it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = Random()  # noqa: S311 - jitter and tie-breaking, not security
        self.app = ServiceApp("balancer", settings, ready=self._reason_not_ready)
        # Disconnecting thousands of vehicles one by one takes seconds without a heartbeat from
        # this balancer. Substations would take it for frozen, and stop its sessions when their
        # lease ends.
        self.app.leaves_at_once = True
        self._record = DecisionRecord(self.app.log)
        self._pool = Pool(
            POLICIES[settings.routing_policy],
            random=self._random,
            health_check=settings.health_check(),
            budget=settings.retry_budget(),
            balancers=settings.balancers,
            queue_limit=settings.queue_limit,
            on_decision=self._record.add,
            on_deferred=self._record.deferred,
            on_poll_wanted=lambda substation: self._watch.want_poll(substation),
        )
        waits = Histograms(
            "balancer_wait_seconds",
            "Time that vehicles waited for a point before dispatch",
            registry=self.app.registry,
        ).labels()
        polls = Counter(
            "balancer_polls",
            "Polls of the substations' gauges, by result",
            ["substation", "outcome"],
            registry=self.app.registry,
        )
        errors = Histograms(
            "balancer_prediction_error_ratio",
            "Actual charging time over the predicted one, minus 1: positive if it took longer",
            bounds=PREDICTION_ERRORS,
            registry=self.app.registry,
        ).labels()
        resumed = Counter(
            "balancer_resumed_sessions",
            "Sessions from before this balancer's start, by how they continued",
            ["how"],
            registry=self.app.registry,
        )
        for how in HOW:  # initialized to 0, so that the first one shows as an increase
            resumed.labels(how)
        self._registers = Registers(
            self._pool,
            timeout_s=settings.poll_timeout,
            last_word_wait_s=settings.last_word_wait,
            lease_s=settings.lease_s(settings.poll_interval),
            log=self.app.log,
        )
        self._dispatcher = Dispatcher(
            self._pool,
            self._registers,
            longest_wait_s=settings.max_wait,
            waits=waits,
            errors=errors,
            log=self.app.log,
        )
        self._gateways = Gateways()
        self.app.on_check = self._note_heartbeat
        self._sessions = Sessions(
            self._dispatcher,
            self._registers,
            Resume(self._pool, self._registers, resumed=resumed, log=self.app.log),
            self._gateways,
            log=self.app.log,
        )
        self.app.registry.register(BalancerCollector(self._pool, self._dispatcher, self._registers))
        self._watch = SubstationWatch(
            settings,
            self._pool,
            self._registers,
            random=self._random,
            polls=polls,
            log=self.app.log,
        )
        Gauge(
            "balancer_config_last_reload_successful",
            "1 while the current SUBSTATIONS_FILE is in use",
            registry=self.app.registry,
        ).set_function(lambda: self._watch.file.problem is None)
        self._peers = Peers(settings, self._pool, self._watch.directory, self._random, self.app.log)
        self._history = History()
        self._add_routes()
        gevent.spawn(self._watch.run)
        gevent.spawn(self._sample)

    def _add_routes(self) -> None:
        app, settings = self.app, self._settings

        @app.post("/charge")
        @app.held
        def charge(caller: Caller) -> Response:
            asked = current_request()
            session = SessionRequest.from_request(asked, max_kwh=settings.max_kwh).session()
            result = self._sessions.charge(
                session,
                request_id=current_g().request_id,
                wait_s=wait_s(asked, settings.max_wait),
                caller=caller,
                terms=terms(asked.environ),
                sent=sent_of(asked.environ),
            )
            return json_response(
                result.document(), status=202 if result.status == "charging" else 200
            )

        app.register_blueprint(session_routes(self._sessions, self._registers))
        app.register_blueprint(drain_routes(self._pool, app.log))

        @app.get("/substations")
        def substations() -> Response:
            return json_response(views.substations(self._pool, self._watch.file.problem))

        @app.get("/decisions")
        def decisions() -> Response:
            since = _whole_number("since", 0, 0, 10**15 - 1, "the sequence number of a decision")
            limit = _whole_number(
                "limit",
                MAX_OF_A_PAGE,
                1,
                MAX_OF_A_PAGE,
                f"the maximum number of decisions in a page, 1 to {MAX_OF_A_PAGE}",
            )
            session_id = read_session_id(request.args.get("session_id"))
            return json_response(self._record.page(since, limit, session_id))

        @app.get("/history")
        def history() -> Response:
            return json_response(self._history.document(time.monotonic()))

        @app.get("/holds")
        def holds() -> Response:
            since = request.args.get("since", "-1")
            version = int(since) if since.isdecimal() and len(since) < 16 else -1
            return json_response(self._peers.report(version))

        app.describe(description(settings.max_kwh))

        @app.get("/targets")
        def targets() -> Response:
            return json_response(views.targets(self._pool, self._watch.profiles))

    def _sample(self) -> None:
        while True:
            self._history.sample(self._pool.substations.values(), time.monotonic())
            gevent.sleep(INTERVAL_S - time.monotonic() % INTERVAL_S)

    def _note_heartbeat(self, environ: "WSGIEnvironment") -> None:
        name = owner_of(environ)
        if name is not None:
            self._gateways.heartbeat(name, sent_of(environ), time.monotonic())

    def _reason_not_ready(self) -> str | None:
        now = time.monotonic()
        if any(substation.is_available(now) for substation in self._pool.substations.values()):
            return None
        return "no substation can accept vehicles"


def _whole_number(name: str, default: int, least: int, most: int, takes: str) -> int:
    """Read a query parameter.

    Raises:
        BadRequest: it is not a whole number, or out of bounds.
    """
    value = request.args.get(name, str(default))
    if value.isascii() and value.isdigit() and len(value) < 16 and least <= int(value) <= most:
        return int(value)
    raise BadRequest([FieldFault(name, f"it takes {takes}")])
