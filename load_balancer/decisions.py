"""The record of decisions: a log line each, and the last few thousand for whoever asks."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import gevent

from grid_common.logs import Log
from load_balancer.policy import Candidate
from load_balancer.vehicle import Decision

_KEPT = 4096
# The log is told once the vehicles are on their way: a line takes longer than a choice, and one
# poll may free points for dozens of vehicles. So another line of a vehicle may stand before this
# one, though it has the time of the choice; and who is killed meanwhile tells nothing. Seconds.
_TOLD_AFTER_S = 0.001


class DecisionRecord:
    """Keeps decisions and explains them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: deque[tuple[datetime, Decision]] = deque(maxlen=_KEPT)
        self._untold: list[tuple[datetime, Decision]] = []

    def add(self, decision: Decision) -> None:
        """Record a decision as it is made."""
        made = datetime.now(UTC), decision
        self._kept.append(made)
        if not self._untold:
            gevent.spawn_later(_TOLD_AFTER_S, self._tell)
        self._untold.append(made)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for at, decision in untold:
            self._log.info(
                "dispatched",
                time=_time(at),
                session_id=decision.session_id,
                vehicle_id=decision.vehicle_id,
                request_id=decision.request_id,
                substation=decision.substation,
                attempt=decision.attempt,
                waited_s=round(decision.waited_s, 3),
                policy=decision.policy,
                reason=decision.reason,
                candidates=[_shown(one) for one in decision.candidates],
                passed_over=dict(decision.passed_over),
            )

    def since(self, sequence: int) -> dict[str, Any]:
        """List the decisions after `sequence`, oldest first, as `GET /decisions` answers."""
        last = self._kept[-1][1].sequence if self._kept else 0
        newer = min(max(0, last - sequence), len(self._kept))
        first = len(self._kept) - newer
        return {
            "last": last,
            "decisions": [_document(*self._kept[index]) for index in range(first, len(self._kept))],
        }


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _shown(candidate: Candidate) -> dict[str, Any]:
    return {
        "substation": candidate.name,
        "load": candidate.load,
        "capacity": candidate.capacity,
        "score": round(candidate.score, 6),
        "gauge_age_s": round(candidate.gauge_age_s, 3),
    }


def _document(at: datetime, decision: Decision) -> dict[str, Any]:
    return {
        "sequence": decision.sequence,
        "time": _time(at),
        "session_id": decision.session_id,
        "vehicle_id": decision.vehicle_id,
        "substation": decision.substation,
        "attempt": decision.attempt,
        "waited_s": round(decision.waited_s, 3),
        "policy": decision.policy,
        "reason": decision.reason,
        "candidates": [_shown(one) for one in decision.candidates],
        "passed_over": [{"substation": name, "why": why} for name, why in decision.passed_over],
    }
