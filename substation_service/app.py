"""The substation's Flask app: parses requests, calls the substation, maps results to responses."""

import secrets
import time
from functools import partial
from typing import Any

from flask import Response
from gunicorn.arbiter import Arbiter
from prometheus_client import Counter

from grid_common.api.charge import SessionRequest
from grid_common.api.openapi import inner_description
from grid_common.api.problems import Unavailable
from grid_common.api.session_headers import terms
from grid_common.histograms import Histograms
from grid_common.http.cancellation import Caller
from grid_common.lean_flask import current_g, current_request
from grid_common.service import ServiceApp, json_response
from substation_service import power_limit, session_routes
from substation_service.journal import Journal, NoJournal
from substation_service.journal_file import JournalFile, UnusableJournal
from substation_service.load_report import HEADER, LoadReport
from substation_service.metrics import SubstationCollector
from substation_service.register import Reason, State
from substation_service.registers import Attempt, Registers
from substation_service.scheduler import Scheduler
from substation_service.session_routes import ended as ended_document
from substation_service.sessions import Sessions
from substation_service.settings import Settings
from substation_service.substation import Substation, SubstationFull

# Upper bound if the next point frees later, or never: the power limit may be 0.
_MAX_RETRY_AFTER_S = 86_400.0


def create_app(settings: Settings) -> ServiceApp:
    """Create a substation's app with its own state."""
    substation = Substation(
        settings.charging_points,
        settings.point_power_kw,
        settings.power_limit_kw,
        settings.power_sharing,
        settings.time_scale,
    )
    name = settings.substation_name
    app = ServiceApp("substation", settings, ready=lambda: None)
    durations = Histograms(
        "substation_session_duration_seconds",
        "Time that vehicles spent at a point",
        registry=app.registry,
    ).labels()
    log = app.log.bind(substation=name)

    def ended(attempt: Attempt) -> None:
        sessions.ended(attempt)
        durations.observe(attempt.charging_s)
        register = attempt.register
        write = log.info
        if register.reason is not None:
            write = partial(write, reason=register.reason.value)
        if register.ended_kwh != attempt.kwh:  # it was here before
            write = partial(write, energy_kwh=round(register.ended_kwh, 3))
        write(
            "session ended",
            session_id=register.session_id,
            vehicle_id=register.vehicle_id,
            request_id=register.request_id,
            outcome=attempt.outcome.value,
            kwh=register.target_kwh,
            delivered_kwh=round(attempt.kwh, 3),
            charging_s=round(attempt.charging_s, 3),
        )

    def clock() -> float:
        """Return the time, after ending the leases and grace periods that are over by then."""
        now = time.monotonic()
        if registers.due <= now:
            registers.end_due(now)
        return now

    epoch_s = time.time() - time.monotonic()
    registers = Registers(substation, ended, epoch_s, id=secrets.token_hex(8))
    journal = _journal(app, settings, registers, epoch_s)
    scheduler = Scheduler(
        substation,
        clock,
        lambda: log.info("power limit returned", power_limit_kw=substation.power_limit_kw),
    )
    sessions = Sessions(registers, scheduler, journal, app.drain, clock)
    app.registry.register(SubstationCollector(substation, registers, clock, journal, app.drain))
    report = LoadReport(substation, clock)
    app.at_exit += [sessions.stop_all, journal.close]

    def charge(caller: Caller) -> Response:
        request = current_request()
        session = SessionRequest.from_request(request, max_kwh=settings.max_kwh).session()
        try:
            register = sessions.charge(
                session, terms(request.environ), caller, current_g().request_id
            )
        except SubstationFull as full:
            log.info(
                "refused",
                session_id=session.session_id,
                vehicle_id=session.vehicle_id,
                request_id=current_g().request_id,
                why=str(full),
            )
            raise Unavailable(
                "full",
                f"Substation {name}: {full}.",
                retry_after_s=min(full.free_in_s, _MAX_RETRY_AFTER_S),
                session_id=session.session_id,
            ) from None
        response = json_response(ended_document(register, name))
        response.headers[HEADER] = report.text()
        return response

    app.add_url_rule("/charge", view_func=app.held(charge, while_draining=True), methods=["POST"])
    app.register_blueprint(session_routes.session_routes(registers, sessions, clock, name))
    app.register_blueprint(power_limit.power_limit_routes(substation, scheduler, clock, log))
    app.describe(description(settings.max_kwh))
    return app


def _journal(
    app: ServiceApp,
    settings: Settings,
    registers: Registers,
    epoch_s: float,
) -> NoJournal:
    """Open the journal, if one is set, and restore the registers that it holds."""
    if settings.journal is None:
        return NoJournal()
    log = app.log.bind(substation=settings.substation_name)
    try:
        file = JournalFile(settings.journal)
        kept = file.read()
        known, cut = kept.registers(settings.time_scale)
        # Before the journal says that they have ended: killed between the two, it logs them twice
        # rather than never.
        for register, kwh in cut:
            log.info(
                "session cut off by a restart",
                session_id=register.session_id,
                vehicle_id=register.vehicle_id,
                kwh=register.target_kwh,
                delivered_kwh=round(kwh, 3),
                energy_kwh=round(register.ended_kwh, 3),
            )
        registers.restore(known, kept.forgotten_kwh)
        registers.id = kept.id or registers.id
        registered = Counter(
            "substation_journal_registers",
            "Registers written to the journal",
            registry=app.registry,
        )
        seconds = Histograms(
            "substation_journal_commit_seconds",
            "Time until a commit to the journal was on disk",
            registry=app.registry,
            bounds=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5),
        ).labels()

        def committed(count: int, took_s: float) -> None:
            registered.inc(count)
            seconds.observe(took_s)

        journal = Journal(
            file, registers, settings.journal_max_mb * 1_000_000, epoch_s, log, committed
        )
    except (UnusableJournal, OSError) as error:
        log.critical("journal cannot be used", journal=str(settings.journal), error=str(error))
        # Ends gunicorn too: a retry would change nothing.
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None
    return journal


def description(max_kwh: float) -> dict[str, Any]:
    """Return the substation's OpenAPI description."""
    document = inner_description("Substation", max_kwh, waits=False)
    document["paths"] |= power_limit.paths() | session_routes.paths()
    charge = document["paths"]["/charge"]["post"]
    charge["parameters"] = session_routes.TERMS
    charge["description"] += (
        " `kwh` is the session's total energy here, so that a repeated call does not charge twice. "
        "`status` is `stopped` if the session ended before it had that; `reason` says why."
    )
    schemas = document["components"]["schemas"]
    schemas |= power_limit.schemas() | session_routes.schemas()
    charged = schemas["Charged"]["properties"]
    charged["status"] = {"enum": [state.value for state in State]}
    charged["reason"] = {"enum": [reason.value for reason in Reason]}
    return document
