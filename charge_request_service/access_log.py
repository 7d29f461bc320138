"""Counts and logs the response to each vehicle, from callers and from rush hours alike."""

from collections.abc import Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from grid_common.api.charge import Session
from grid_common.histograms import DURATION_BUCKETS
from grid_common.logs import Log


class AccessLog:
    """The gateway's access log."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        responses = Counter("charge_requests", "Vehicles answered", ["status"], registry=registry)
        # Cached: the library's lookup of a child takes longer than counting.
        self._responses_with = lru_cache(responses.labels)
        self._duration = Histogram(
            "charge_request_duration_seconds",
            "Time from a vehicle's arrival to its response",
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
        why: str | None,
        caller: Mapping[str, str],
    ) -> None:
        """Record a response, or that the vehicle disconnected.

        `why` says what went wrong if it is the gateway that knows; the balancer logs the rest.
        `caller` has the log fields that identify the caller.
        """
        self._responses_with(str(status)).inc()
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
