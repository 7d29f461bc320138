"""The balancer's sessions as JSON documents."""

import time
from typing import Any

from grid_common.api.problems import Problem
from grid_common.http.client import UpstreamError
from load_balancer.led_session import ChargeResult, LedSession
from load_balancer.registers import Registers
from load_balancer.substation_client import SessionReport

_SECONDS_PER_HOUR = 3600


def ended_document(led: LedSession) -> dict[str, Any]:
    """Return the response of `DELETE /sessions/ID`: how it ended, and its energy."""
    legs = led.legs
    if isinstance(led.outcome, ChargeResult):
        document = led.outcome.document()
    else:  # its caller disconnected, it was refused, or it has not ended yet
        document = {
            "status": "charged" if led.is_complete else "stopped",
            **led.session.members(),
            "substation": legs.last.substation if legs.last is not None else None,
            "attempts": led.queued.attempts,
        }
    # A session that was sent only once has the values of its substation, or none.
    if document.get("energy_kwh") is None:
        document["energy_kwh"] = legs.delivered_kwh
    if document["status"] == "stopped":
        document["legs"] = [leg._asdict() for leg in legs.records()]
    return document


def session_document(led: LedSession, registers: Registers, *, ask: bool = True) -> dict[str, Any]:
    """Return the response of `GET /sessions/ID`.

    Args:
        led: the session.
        registers: finds its substation.
        ask: whether to query the substation where it is charging; if not, its last progress is
            used.
    """
    dispatch, power_kw, ends_in_s = led.queued.dispatch, None, None
    if dispatch is not None and led.legs.current is not None:
        report = _ask(led, registers) if ask else None
        if report is None:
            power_kw, ends_in_s = _estimate(led)
        else:
            power_kw, ends_in_s = report.power_kw, report.ends_in_s
    last = led.legs.last
    return {
        "state": _state(led),
        **led.session.members(),
        "energy_kwh": led.legs.delivered_kwh,
        "substation": dispatch.substation.name if dispatch else last.substation if last else None,
        "power_kw": power_kw,
        "predicted_end_s": ends_in_s,
        "attempts": led.queued.attempts,
        "legs": [leg._asdict() for leg in led.legs.records()],
    }


def _state(led: LedSession) -> str:
    if isinstance(led.outcome, ChargeResult):
        return led.outcome.status
    if isinstance(led.outcome, Problem):
        return "refused"
    if led.expires:  # its caller disconnected
        return "stopped"
    return "waiting" if led.queued.dispatch is None else "charging"


def _ask(led: LedSession, registers: Registers) -> SessionReport | None:
    dispatch = led.queued.dispatch
    client = registers.clients.get(dispatch.substation.address) if dispatch is not None else None
    if client is None or not client.keeps_registers:
        return None
    asked_at = time.monotonic()  # it may wait for its disk: its report can be as old as that
    try:
        report = client.ask(led.session.session_id, registers.timeout_s)
    except UpstreamError:
        return None
    if report is not None:
        led.legs.update(client.register, report.kwh, asked_at - report.age_s)
    return report


def _estimate(led: LedSession) -> tuple[float | None, float | None]:
    """Return power, kW, and seconds to the end, from the last two reports or the prediction."""
    now, dispatch = time.monotonic(), led.queued.dispatch
    leg = led.legs.leg(led.legs.current or "")
    if dispatch is None or leg is None:
        return None, None
    reading = dispatch.substation.reading
    time_scale = reading.time_scale if reading is not None else 1.0
    if leg.kwh_per_s:
        ends_in_s = led.legs.remaining_kwh / leg.kwh_per_s - (now - leg.reported_at)
        power_kw = leg.kwh_per_s * _SECONDS_PER_HOUR / time_scale
        return round(power_kw, 3), round(max(0.0, ends_in_s), 3)
    prediction = dispatch.decision.prediction
    if prediction is None or prediction.finish_s == float("inf"):
        return None, None
    return None, round(max(0.0, dispatch.decision.at + prediction.finish_s - now), 3)
