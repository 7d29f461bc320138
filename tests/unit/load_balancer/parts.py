"""Parts of a balancer around a pool, put together as its program does."""

from prometheus_client import CollectorRegistry, Counter

from grid_common.http.client import Upstream
from load_balancer.profile import SubstationProfile
from load_balancer.registers import Registers
from load_balancer.resume import Resume
from load_balancer.routing.pool import Pool
from load_balancer.substation_client import Owner, SubstationClient
from tests.support.logs import service_log

OWNER = Owner("one", 0.05, 3)
PROFILE = SubstationProfile()


def registers_of(
    pool: Pool, *clients: SubstationClient, timeout_s: float = 1, last_word_wait_s: float = 2
) -> Registers:
    """Create a pool's registers, with a client for each of its substations or none."""
    registers = Registers(
        pool,
        timeout_s=timeout_s,
        last_word_wait_s=last_word_wait_s,
        lease_s=3,
        log=service_log(),
    )
    registers.clients.update(zip(pool.substations, clients, strict=False))
    return registers


def resume_of(pool: Pool, registers: Registers) -> Resume:
    resumed = Counter("resumed", "Sessions resumed", ["how"], registry=CollectorRegistry())
    return Resume(pool, registers, resumed=resumed, log=service_log())


def client_at(url: str) -> SubstationClient:
    """Create the client of a substation."""
    return SubstationClient(url, Upstream(url, connect_timeout_s=5, connections=1), PROFILE, OWNER)
