"""Queries the progress of one substation's sessions, as often as it is polled."""

import time
from dataclasses import dataclass, field
from random import Random

import gevent

from grid_common.http.client import UpstreamError
from grid_common.logs import Log
from load_balancer.registers import Registers
from load_balancer.routing.health import Health
from load_balancer.routing.poll_schedule import MAX_OF_A_CPU
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation
from load_balancer.substation_client import SubstationClient
from load_balancer.turns import Pause, Turns

# A substation without registers may be replaced by one with them: ask it again after this time,
# seconds.
_ASK_AGAIN_S = 60.0
# Pause until a substation's gauge was read for the first time, seconds.
_NOT_YET_S = 0.25
# Consecutive failures after which a substation that answers its polls is assumed to have no
# registers.
_UNANSWERED = 3


@dataclass(eq=False, repr=False)
class Progress:
    """Keeps the registers of one substation up to date while the pool knows it.

    These queries are also this balancer's heartbeats: without one, a substation stops the
    sessions that this balancer leads after the lease.
    """

    substation: Substation
    client: SubstationClient
    pool: Pool
    registers: Registers
    random: Random
    log: Log
    _unanswered: int = field(default=0, init=False)
    _is_settling: bool = field(default=False, init=False)
    _asked_again_at: float = field(default=0.0, init=False)
    _was_down: bool = field(default=False, init=False)

    def start(self) -> None:
        """Query until the substation is forgotten."""
        Turns(self.take_turn).start()

    def take_turn(self) -> Pause | None:
        """Query, if it is time to; return None once the substation is forgotten."""
        client, substation, began = self.client, self.substation, time.monotonic()
        if self.registers.clients.get(substation.address) is not client:
            return None
        if client.keeps_registers is None and not substation.health.responds:
            return Pause(_NOT_YET_S, _NOT_YET_S)  # with hundreds at once, gauges come first
        interval_s = self._interval_s()
        if self._is_left_alone(began):
            return Pause(interval_s, interval_s)
        self._ask()
        if client.keeps_registers is False:
            self._asked_again_at, self._was_down = time.monotonic() + _ASK_AGAIN_S, False
        interval_s = self._interval_s() * self.random.uniform(0.9, 1.1)
        return Pause(client.progress_cpu_s / MAX_OF_A_CPU, interval_s)

    def _interval_s(self) -> float:
        """Return the interval of polls, or a shorter one that was promised with running charges."""
        interval_s = self.pool.health_check.interval_s
        return (
            min(interval_s, self.client.heartbeat_interval_s)
            if self.substation.in_flight
            else interval_s
        )

    def _is_left_alone(self, now: float) -> bool:
        """Return whether it has no registers; one that was down may have been replaced."""
        was_down, self._was_down = self._was_down, self.substation.health is Health.DOWN
        if was_down and not self._was_down:
            self._asked_again_at = now
        return now < self._asked_again_at

    def _ask(self) -> None:
        client, before = self.client, self.client.keeps_registers
        try:
            self.registers.refresh(client, self.substation)
        except UpstreamError:
            self._note_silence()
            return
        self._unanswered = 0
        if client.keeps_registers is not before:
            self.log.info("registers", kept=client.keeps_registers)
        if client.keeps_registers and not self._is_settling:
            self._is_settling = True
            gevent.spawn(self._settle)

    def _settle(self) -> None:
        """Read final reports one by one, while queries continue: there may be thousands."""
        try:
            self.registers.settle(self.client, self.substation.name)
        finally:
            self._is_settling = False

    def _note_silence(self) -> None:
        # A draining substation answers its polls, too; resumed sessions wait for its response.
        answers = self.substation.health.responds
        if self.client.keeps_registers is None and answers:
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED:
                self.client.keeps_registers, self.client.is_known = False, True
