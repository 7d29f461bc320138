"""A gateway's sessions with a ledger in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from prometheus_client import CollectorRegistry

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.sessions import Sessions
from grid_common.drain import Drain
from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings


@contextmanager
def sessions_in_memory(balancer: object) -> Iterator[tuple[Sessions, Ledger]]:
    """Create sessions that `balancer` charges, and their ledger."""
    log = configure_logs("gateway", ServiceSettings.model_validate({"port": 0}))
    ledger = Ledger(
        read_ledger_url("sqlite://"),
        retention_s=60,
        key_retention_s=60,
        log=log,
        registry=CollectorRegistry(),
    )
    try:
        yield (
            Sessions(
                ledger,
                cast("Forwarder", balancer),
                cast("BalancerQueries", balancer),
                grace_s=60,
                drain=Drain("gateway"),
                log=log,
            ),
            ledger,
        )
    finally:
        ledger.close()
