"""The record of decisions: one log line each, and the last few thousand in pages on request."""

from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import gevent
import orjson

from grid_common.logs import Log
from load_balancer.routing.matching import Deferred
from load_balancer.routing.policy import Candidate, Choice, Decision
from load_balancer.routing.prediction import Prediction

_KEPT = 4096
# A page ends at whichever limit comes first; a decision takes at most 10 KB.
MAX_OF_A_PAGE = 100
_MAX_BYTES = 262_144
# Decisions are logged once the vehicles are on their way: a line takes longer than a choice, and
# one poll may free points for dozens of vehicles. They are logged in batches, because a wake-up
# costs as much as a line. So another log line of a vehicle may come before this one, although this
# one has the time of the choice. Decisions are not logged if the process is killed meanwhile.
# Seconds.
_REPORTED_AFTER_S = 0.01


class DecisionRecord:
    """Stores decisions and explains them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: deque[_Kept] = deque(maxlen=_KEPT)
        self._last = 0
        self._unreported: list[tuple[datetime, Decision]] = []

    def add(self, decision: Decision) -> None:
        """Record a decision when it is made."""
        at = datetime.now(UTC)
        self._kept.append(_Kept(at, decision))
        self._last = decision.sequence
        if not self._unreported:
            gevent.spawn_later(_REPORTED_AFTER_S, self._log_pending)
        self._unreported.append((at, decision))

    def _log_pending(self) -> None:
        unreported, self._unreported = self._unreported, []
        for at, decision in unreported:
            self._log.info(
                "dispatched",
                **_members(at, decision, dict(decision.ineligible)),
                request_id=decision.request_id,
            )

    def deferred(self, deferred: Deferred) -> None:
        """Log, once per vehicle, that it waits although a point is free."""
        queued, choice = deferred
        self._log.info(
            "left in line",
            session_id=queued.session_id,
            vehicle_id=queued.vehicle_id,
            request_id=queued.request_id,
            substation=choice.candidate.name,
            predicted=_predicted(choice.prediction),
            next_best=_next_best(choice),
        )

    def page(self, since: int, limit: int = MAX_OF_A_PAGE, session_id: str | None = None) -> bytes:
        """Return the decisions after `since`, oldest first, as the JSON of `GET /decisions`.

        Args:
            since: a sequence number.
            limit: maximum number of decisions.
            session_id: return only the decisions about this session; None for all.
        """
        newer = min(max(0, self._last - since), len(self._kept))
        listed: list[bytes] = []
        room = _MAX_BYTES
        follows = b"null"
        newest_before = self._last - newer
        for kept in islice(self._kept, len(self._kept) - newer, None):
            if session_id is None or kept.session_id == session_id:
                document = kept.document()
                room -= len(document)
                if len(listed) == limit or (room < 0 and listed):
                    follows = b"%d" % newest_before
                    break
                listed.append(document)
            newest_before += 1
        return b'{"last":%d,"next":%b,"decisions":[%b]}' % (self._last, follows, b",".join(listed))


class _Kept:
    """A decision that is encoded as JSON when it is first requested."""

    __slots__ = ("_at", "_decision", "_document", "session_id")

    def __init__(self, at: datetime, decision: Decision) -> None:
        self._at = at
        self.session_id = decision.session_id
        self._decision: Decision | None = decision
        self._document = b""

    def document(self) -> bytes:
        if self._decision is not None:
            self._document = orjson.dumps(_document(self._at, self._decision))
            self._decision = None
        return self._document


def _shown(candidate: Candidate) -> dict[str, Any]:
    return {
        "substation": candidate.name,
        "load": candidate.load,
        "capacity": candidate.capacity,
        "score": round(candidate.score, 6),
        "gauge_age_s": round(candidate.gauge_age_s, 3),
    }


def _document(at: datetime, decision: Decision) -> dict[str, Any]:
    passed_over = [{"substation": name, "why": why} for name, why in decision.ineligible]
    return {"sequence": decision.sequence, **_members(at, decision, passed_over)}


def _members(at: datetime, decision: Decision, passed_over: object) -> dict[str, Any]:
    """Return what is both logged of a decision and listed."""
    return {
        "time": at.isoformat().replace("+00:00", "Z"),
        "session_id": decision.session_id,
        "vehicle_id": decision.vehicle_id,
        "substation": decision.substation,
        "attempt": decision.attempt,
        "waited_s": round(decision.waited_s, 3),
        "policy": decision.policy,
        "reason": decision.reason,
        "candidates": [_shown(one) for one in decision.candidates],
        "candidates_left_out": decision.candidates_left_out,
        "passed_over": passed_over,
        "passed_over_left_out": decision.ineligible_left_out,
        "predicted": _predicted(decision.prediction),
        "next_best": _next_best(decision),
        "left_in_line_for": decision.deferred_for,
    }


def _predicted(prediction: Prediction | None) -> dict[str, float] | None:
    """Return a prediction as a document: seconds from the decision; infinity is null in JSON."""
    if prediction is None:
        return None
    return {
        "start_s": round(prediction.start_s, 3),
        "charging_s": round(prediction.charging_s, 3),
        "finish_s": round(prediction.finish_s, 3),
    }


def _next_best(choice: Decision | Choice) -> dict[str, Any] | None:
    if choice.next_best is None:
        return None
    name, prediction = choice.next_best
    return {"substation": name, **(_predicted(prediction) or {})}
