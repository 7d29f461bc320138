"""A gateway's sessions with a ledger in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from prometheus_client import CollectorRegistry

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.durable import DurableSessions
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.record import Begin, Kind
from charge_request_service.sessions.sessions import Sessions
from charge_request_service.sessions.terms import Terms
from grid_common.api.charge import Session
from grid_common.drain import Drain
from tests.support.logs import service_log


@contextmanager
def sessions_in_memory(balancer: object) -> Iterator[tuple[Sessions, Ledger]]:
    """Create sessions that `balancer` charges, and their ledger."""
    log = service_log("gateway")
    ledger = Ledger(
        read_ledger_url("sqlite://"),
        retention_s=60,
        key_retention_s=60,
        log=log,
        registry=CollectorRegistry(),
    )
    try:
        forwarder, queries = cast("Forwarder", balancer), cast("BalancerQueries", balancer)
        durable = DurableSessions(
            ledger, forwarder, queries, grace_s=60, drain=Drain("gateway"), log=log
        )
        yield Sessions(durable, ledger, forwarder, queries, log), ledger
    finally:
        ledger.close()


def begun(sessions: Sessions, kind: Kind, kwh: float, key: str | None = None) -> Begin:
    """Begin the session s1."""
    return sessions.begin(
        Session("s1", "EV-1", kwh),
        terms=Terms(kind, key),
        owner="",
        wait_s=60,
        vehicle_id="EV-1",
    )
