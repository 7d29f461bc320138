"""What the log, the metrics and refused callers are told of sessions on their way."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field

from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.histograms import Histogram
from grid_common.logs import Log
from load_balancer.led_session import LedSession
from load_balancer.plausibility import too_fast
from load_balancer.profile import SubstationProfile
from load_balancer.refusal import explain
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Dispatch
from load_balancer.routing.wait import Refusal


@dataclass(eq=False, repr=False)
class DispatchReports:
    """Logs and counts what happens to sessions, and writes their refusals."""

    pool: Pool
    errors: Histogram  # of predictions
    log: Log
    refusals: Counter[str] = field(default_factory=Counter, init=False)
    moved: int = field(default=0, init=False)  # sessions that charged at more than one substation
    # Implausible responses, by substation.
    too_fast: Counter[str] = field(default_factory=Counter, init=False)

    def set_aside(self, led: LedSession) -> None:
        """A session is not dispatched, because another balancer may lead it."""
        why = "no recent heartbeat from its gateway"
        self.log.info("set aside", session_id=led.session.session_id, why=why)

    def failover(self, dispatch: Dispatch, reason: str, why: str) -> None:
        """A session has to go to another substation."""
        self.log.warning(
            "failover",
            session_id=dispatch.queued.session_id,
            request_id=dispatch.queued.request_id,
            substation=dispatch.substation.name,
            attempt=dispatch.decision.attempt,
            reason=reason,
            why=why,
        )

    def disconnected(self, led: LedSession) -> None:
        """A session's caller disconnected."""
        queued = led.queued
        self.log.info(
            "disconnected",
            **led.ids(),
            substation=queued.dispatch.substation.name if queued.dispatch else None,
            attempts=queued.attempts,
        )

    def check_duration(
        self, dispatch: Dispatch, session: Session, profile: SubstationProfile
    ) -> None:
        """Count a response that came before the energy can have flowed, and log it once."""
        substation, took_s = dispatch.substation, time.monotonic() - dispatch.decision.at
        warning = too_fast(session.kwh, took_s, substation.reading, profile)
        if warning is None:
            return
        self.too_fast[substation.name] += 1
        if substation.warning is None:
            substation.warning = warning
            self.log.warning(
                "charged too fast",
                session_id=session.session_id,
                request_id=dispatch.queued.request_id,
                substation=substation.name,
                why=warning,
            )

    def charged(self, dispatch: Dispatch, now: float) -> None:
        """A session is charged: count by how much its prediction was wrong."""
        prediction = dispatch.decision.prediction
        if prediction is not None and 0 < prediction.charging_s < math.inf:
            real_s = now - dispatch.decision.at
            self.errors.observe(real_s / prediction.charging_s - 1)

    def refusal(self, led: LedSession, reason: Refusal) -> Unavailable:
        """Log and count a refusal, and return it for the caller."""
        now, queued, pool = time.monotonic(), led.queued, self.pool
        self.refusals[reason] += 1
        retry_after_s = pool.retry_after_s(now)
        detail = explain(
            reason,
            waited_s=now - queued.arrived,
            waiting=len(pool.waiting),
            substations=pool.substations.values(),
            failures=list(led.failures.values()),
        )
        self.log.warning(
            "refused",
            **led.ids(),
            reason=reason.value,
            detail=detail,
            attempts=queued.attempts,
            waited_s=round(now - queued.arrived, 3),
            waiting=len(pool.waiting),
            retry_after_s=round(retry_after_s, 1),
        )
        refusal = Unavailable(
            reason.replace("_", "-"),
            detail,
            retry_after_s=retry_after_s,
            session_id=queued.session_id,
        )
        if led.legs.delivered_kwh:
            refusal.members = {
                "energy_kwh": led.legs.delivered_kwh,
                "legs": [leg._asdict() for leg in led.legs.records()],
            }
        return refusal
