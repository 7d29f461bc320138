"""Asks one substation, with each poll's interval, how far its sessions are."""

import time
from random import Random

import gevent

from grid_common.logs import Log
from grid_common.upstream import UpstreamError
from load_balancer.poller import MOST_OF_A_CPU
from load_balancer.pool import Pool
from load_balancer.registers import Registers
from load_balancer.site import Health, Site
from load_balancer.substation_client import SubstationClient

# One that keeps no registers may be replaced by one that does: asked again after this, seconds.
_ASK_AGAIN_S = 60.0
# Until its gauge is read for the first time a substation is not asked for more, seconds.
_NOT_YET_S = 0.25
_ANSWERS = (Health.UP, Health.DRAINING)
# Questions in a row that one which answers its polls may leave unanswered until it is taken to keep
# no registers.
_UNANSWERED = 3


class Progress:
    """Keeps the registers of one substation heard for as long as the pool knows it.

    It is this balancer's sign of life there too: a substation that hears nothing for the lease
    stops what this balancer leads.
    """

    def __init__(
        self,
        site: Site,
        client: SubstationClient,
        pool: Pool,
        registers: Registers,
        *,
        interval_s: float,
        random: Random,
        log: Log,
    ) -> None:
        self._site = site
        self._client = client
        self._pool = pool
        self._registers = registers
        self._interval_s = interval_s
        self._random = random
        self._log = log.bind(substation=site.name, address=site.address)
        self._unanswered = 0
        self._settles = False

    def run(self) -> None:
        """Ask until the substation is forgotten."""
        client, site = self._client, self._site
        while self._registers.clients.get(site.address) is client:
            if client.keeps_registers is None and site.health not in _ANSWERS:
                gevent.sleep(_NOT_YET_S)  # hundreds at once are asked for their gauges first
                continue
            began = time.monotonic()
            self._ask()
            pause_s = self._interval_s * self._random.uniform(0.9, 1.1)
            if client.keeps_registers is False:
                self._sleep(_ASK_AGAIN_S)
            else:
                shortest_s = client.progress_cpu_s / MOST_OF_A_CPU
                gevent.sleep(max(shortest_s, pause_s - (time.monotonic() - began)))

    def _sleep(self, seconds: float) -> None:
        """Wait for long; one that was down meanwhile may be another now."""
        until, was_down = time.monotonic() + seconds, False
        while time.monotonic() < until:
            gevent.sleep(self._interval_s)
            is_down = self._site.health is Health.DOWN
            if was_down and not is_down:
                return
            was_down = is_down

    def _ask(self) -> None:
        client, before = self._client, self._client.keeps_registers
        try:
            self._registers.refresh(client, self._site)
        except UpstreamError:
            self._note_silence()
            return
        self._unanswered = 0
        if client.keeps_registers is not before:
            self._log.info("registers", kept=client.keeps_registers)
        if client.keeps_registers and not self._settles:
            self._settles = True
            gevent.spawn(self._settle)

    def _settle(self) -> None:
        """Read last words, one by one: there may be thousands, and this must go on meanwhile."""
        try:
            self._registers.settle(self._client, self._site.name)
        finally:
            self._settles = False

    def _note_silence(self) -> None:
        # One that drains answers its polls too; sessions of before wait until it is heard of.
        answers = self._site.health in (Health.UP, Health.DRAINING)
        if self._client.keeps_registers is None and answers:
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED:
                self._client.keeps_registers, self._client.is_known = False, True
