"""Runs sessions: plugs them in, waits for them and ends them, while callers come and go."""

from collections.abc import Callable, Iterable
from math import inf

import gevent
from gevent.event import Event

from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.api.session_headers import Terms
from grid_common.drain import Drain
from grid_common.http.cancellation import Caller
from substation_service.charging import Charging
from substation_service.journal import NoJournal
from substation_service.register import Reason, Register
from substation_service.registers import Attempt, Meaning, Registers
from substation_service.scheduler import Scheduler

# A full disk takes a while to be cleared, seconds.
_JOURNAL_RETRY_AFTER_S = 5.0
# gevent's timers accept no longer time, seconds.
_MAX_SLEEP_S = 86_400.0


class Sessions:
    """The sessions of this process."""

    def __init__(
        self,
        registers: Registers,
        scheduler: Scheduler,
        journal: NoJournal,
        drain: Drain,
        clock: Callable[[], float],
    ) -> None:
        """Start to watch leases and grace periods.

        Args:
            registers: the energy of each session; must call `ended` with each attempt that ends.
            scheduler: wakes those who wait for a vehicle to be charged.
            journal: records sessions.
            drain: counts the vehicles in flight.
            clock: returns the time, after ending everything that was due by then.
        """
        self._registers = registers
        self._scheduler = scheduler
        self._journal = journal
        self._drain = drain
        self._clock = clock
        self._ends: dict[Register, Event] = {}
        self._watched_until = inf
        self._due_sooner = Event()
        gevent.spawn(self._watch)

    def charge(self, session: Session, terms: Terms, caller: Caller, request_id: str) -> Register:
        """Return a session's register once it has ended, whether charged or stopped.

        Raises:
            ClientDisconnected: the caller disconnected.
            SubstationFull: no point is free.
            Unavailable: this would begin an attempt, but the substation drains, or the session is
                durable and the journal cannot be written.
        """
        registers = self._registers
        durable = terms.grace_s is not None
        if self._drain.active or (durable and self._journal.failing_since is not None):
            self._refuse(session)
        register, meaning = registers.ask(session, terms, self._clock())
        charging = register.charging
        if charging is None:
            self._keep(register)
            return register
        register.request_id = request_id
        if registers.due < self._watched_until:
            self._due_sooner.set()
        drives = meaning is Meaning.PLUGGED_IN
        try:
            if drives:
                if self._is_charged(register, charging):
                    if register.grace_s is None:
                        caller.check()
                    registers.finish(register, self._clock())
            else:
                self._scheduler.wake(charging)  # its end may have moved
                self._scheduler.changed()
            while register.charging is not None:
                self._end_of(register).wait()
        finally:
            if register.charging is None:
                register.callers -= 1
            else:
                self._leave(register)
            if drives and register.charging is charging:
                self._drain.add()
                gevent.spawn(self._drive, register, charging)
        self._keep(register)
        return register

    def stop(self, session_id: str) -> Register | None:
        """Stop a session unless it has ended; return None if it is not known."""
        now = self._clock()
        register = self._registers.get(session_id)
        if register is not None:
            self._registers.stop(register, now, Reason.CALLER)
            self._journal.commit()
        return register

    def stop_all(self) -> None:
        """Stop all sessions because the process ends."""
        now = self._clock()
        for register in self._registers.running:
            self._registers.stop(register, now, Reason.SHUT_DOWN)

    def progress(self, owner: str | None) -> tuple[dict[str, float], float]:
        """Return the progress to report to a balancer: kWh by session, and their largest age."""
        now = self._clock()
        registers = self._registers.to_report(owner, now)
        reports = self._reports(registers, now)
        age_s = max((age_s for _, age_s in reports), default=0.0)
        sessions = {one.session_id: kwh for one, (kwh, _) in zip(registers, reports, strict=True)}
        return sessions, age_s

    def reports(self, registers: Iterable[Register]) -> list[tuple[float, float]]:
        """Return what may be reported of these registers, in order: kWh, and their age, seconds."""
        return self._reports(registers, self._clock())

    def _reports(self, registers: Iterable[Register], now: float) -> list[tuple[float, float]]:
        journal = self._journal
        reportable = journal.reportable([(one, one.kwh(now)) for one in registers], now)
        return [(kwh, journal.age_s(one, now)) for one, kwh in reportable]

    def ended(self, attempt: Attempt) -> None:
        """Record how an attempt ended, and wake those who wait for it."""
        self._journal.note(attempt.register)
        self._scheduler.wake(attempt.charging)
        self._scheduler.changed()
        end = self._ends.pop(attempt.register, None)
        if end is not None:
            end.set()

    def _refuse(self, session: Session) -> None:
        """Refuse a session that would begin an attempt and must not.

        Raises:
            Unavailable: it is refused.
        """
        if self._registers.needs_power(session):
            self._drain.refuse()
            raise Unavailable(
                "journal",
                "The substation cannot write its journal, so it accepts no new session that "
                "outlives its connection; see its log for the reason.",
                retry_after_s=_JOURNAL_RETRY_AFTER_S,
                session_id=session.session_id,
            )

    def _keep(self, register: Register) -> None:
        """Wait until the end of a durable session is on disk, before it is reported."""
        if register.is_durable:
            self._journal.commit()

    def _leave(self, register: Register) -> None:
        self._registers.leave(register, self._clock())
        if self._registers.due < self._watched_until:
            self._due_sooner.set()

    def _end_of(self, register: Register) -> Event:
        end = self._ends.get(register)
        if end is None:
            end = self._ends[register] = Event()
        return end

    def _drive(self, register: Register, charging: Charging) -> None:
        """Complete an attempt that no connection waits for."""
        try:
            if self._is_charged(register, charging):
                self._registers.finish(register, self._clock())
        finally:
            self._drain.remove()

    def _is_charged(self, register: Register, charging: Charging) -> bool:
        """Wait until an attempt is fully charged; return False if it ended before."""
        while not self._scheduler.wait(charging):
            if register.charging is not charging:
                return False
        return register.charging is charging

    def _watch(self) -> None:
        """End sessions when their leases and grace periods are over, without waiting for a call."""
        while True:
            self._due_sooner.clear()
            now = self._clock()
            self._registers.settle(now)
            due = self._watched_until = self._registers.due
            self._due_sooner.wait(None if due == inf else min(due - now, _MAX_SLEEP_S))
