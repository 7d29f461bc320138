"""Counts each vehicle's answer and tells the log of it, a caller's and a rush hour's alike."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Histogram

from grid_common.api.charge import Session
from grid_common.durations import DURATION_BUCKETS
from grid_common.logs import Log

_NOBODY: Mapping[str, str] = MappingProxyType({})


class AccessLog:
    """One for the gateway."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        answers = Counter("charge_requests", "Vehicles answered", ["status"], registry=registry)
        # Kept: looking a child up there takes longer than counting.
        self._answers_with = lru_cache(answers.labels)
        self._duration = Histogram(
            "charge_request_duration_seconds",
            "Time from a vehicle's arrival to its answer",
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._log = log

    def answered(
        self,
        session: Session,
        *,
        request_id: str,
        status: int,
        took_s: float,
        why: str | None = None,
        caller: Mapping[str, str] = _NOBODY,
    ) -> None:
        """Note an answer, or that the vehicle disconnected.

        Args:
            session: what it asked for.
            request_id: as in every log line on the way.
            status: the HTTP status of its answer.
            took_s: from its arrival, seconds.
            why: what went wrong, where it is the gateway that knows; the balancer logs the rest.
            caller: what the log tells of who asked.
        """
        self._answers_with(str(status)).inc()
        self._duration.observe(took_s)
        self._log.info(
            "answered",
            session_id=session.session_id,
            vehicle_id=session.vehicle_id,
            request_id=request_id,
            kwh=session.kwh,
            status=status,
            took_s=round(took_s, 3),
            **({"why": why} if why else {}),
            **caller,
        )
