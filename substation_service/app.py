"""The substation's Flask app: parses, asks the site, maps its answers."""

import time
from typing import Any

import orjson
from flask import Response
from prometheus_client import Histogram

from grid_common.charge import Session, SessionRequest
from grid_common.interrupt import Caller
from grid_common.lean_flask import current_g, current_request
from grid_common.openapi import inner_description
from grid_common.problems import Unavailable
from grid_common.web import DURATION_BUCKETS, ServiceApp, json_response
from substation_service import power_limit
from substation_service.metrics import SubstationCollector
from substation_service.scheduler import Scheduler
from substation_service.settings import Settings
from substation_service.substation import Demand, Outcome, Substation, SubstationFull

# Told where the next point frees later than that, or nobody knows when: the limit may be 0.
_LONGEST_RETRY_AFTER_S = 86_400.0


def create_app(settings: Settings) -> ServiceApp:
    """Build a substation with its own state."""
    substation = Substation(
        settings.charging_points,
        settings.point_power_kw,
        settings.power_limit_kw,
        settings.power_sharing,
        settings.time_scale,
    )
    app = ServiceApp("substation", settings, ready=lambda: None)
    app.registry.register(SubstationCollector(substation, app.drain))
    durations = Histogram(
        "substation_session_duration_seconds",
        "Time that vehicles spent at a point",
        buckets=DURATION_BUCKETS,
        registry=app.registry,
    )
    log = app.log.bind(substation=settings.substation_name)
    scheduler = Scheduler(
        substation,
        lambda: log.info("power limit returned", power_limit_kw=substation.power_limit_kw),
    )

    @app.post("/charge")
    @app.held
    def charge(caller: Caller) -> Response:
        session = SessionRequest.from_request(current_request(), max_kwh=settings.max_kwh).session()
        try:
            charging = substation.plug_in(_demand(session), time.monotonic())
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
                f"Substation {settings.substation_name}: {full}.",
                retry_after_s=min(full.free_in_s, _LONGEST_RETRY_AFTER_S),
                session_id=session.session_id,
            ) from None
        outcome = Outcome.ABORTED
        try:
            scheduler.wait(charging)
            caller.check()
            outcome = Outcome.CHARGED
        finally:
            now = time.monotonic()
            delivered_kwh = substation.unplug(charging, now, outcome)
            scheduler.changed()
            durations.observe(now - charging.began)
            log.info(
                "session ended",
                session_id=session.session_id,
                vehicle_id=session.vehicle_id,
                request_id=current_g().request_id,
                outcome=outcome.value,
                kwh=session.kwh,
                delivered_kwh=round(delivered_kwh, 3),
                charging_s=round(now - charging.began, 3),
            )
        return json_response(
            {
                "status": "charged",
                **session.members(),
                "substation": settings.substation_name,
                "charging_s": round(now - charging.began, 3),
                "energy_kwh": delivered_kwh,
                "mean_power_kw": round(charging.mean_power_kw, 3),
                "peak_power_kw": round(charging.peak_power_kw, 3),
            }
        )

    app.register_blueprint(power_limit.power_limit(substation, scheduler, log))
    document = orjson.dumps(description(settings.max_kwh))

    @app.get("/openapi.json")
    def openapi_json() -> Response:
        return json_response(document)

    return app


def description(max_kwh: float) -> dict[str, Any]:
    """Describe a substation for OpenAPI."""
    document = inner_description("Substation", max_kwh, waits=False)
    document["paths"] |= power_limit.paths()
    document["components"]["schemas"] |= power_limit.schemas()
    return document


def _demand(session: Session) -> Demand:
    return Demand(session.kwh, session.max_power_kw, session.battery_kwh, session.soc)
