"""Runs sessions: plugs them in, waits for them and ends them, while callers come and go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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


@dataclass(eq=False, repr=False)
class Sessions:
    """The sessions of this process. It watches leases and grace periods."""

    registers: Registers  # must call `ended` with each attempt that ends
    scheduler: Scheduler
    journal: NoJournal
    drain: Drain  # counts the vehicles in flight
    clock: Callable[[], float]  # returns the time, after ending everything that was due by then
    _ends: dict[Register, Event] = field(default_factory=dict, init=False)
    _watched_until: float = field(default=inf, init=False)
    _due_sooner: Event = field(default_factory=Event, init=False)

    def __post_init__(self) -> None:
        gevent.spawn(self._watch)

    def charge(self, session: Session, terms: Terms, caller: Caller, request_id: str) -> Register:
        """Return a session's register once it has ended, whether charged or stopped.

        Raises:
            ClientDisconnected: the caller disconnected.
            SubstationFull: no point is free.
            Unavailable: this would begin an attempt, but the substation drains, or the session is
                durable and the journal cannot be written.
        """
        registers = self.registers
        durable = terms.grace_s is not None
        if self.drain.active or (durable and self.journal.failing_since is not None):
            self._refuse(session)
        register, meaning = registers.ask(session, terms, self.clock())
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
                    registers.finish(register, self.clock())
            else:
                self.scheduler.wake(charging)  # its end may have moved
                self.scheduler.changed()
            while register.charging is not None:
                self._end_of(register).wait()
        finally:
            if register.charging is None:
                register.callers -= 1
            else:
                self._leave(register)
            if drives and register.charging is charging:
                self.drain.add()
                gevent.spawn(self._drive, register, charging)
        self._keep(register)
        return register

    def stop(self, session_id: str) -> Register | None:
        """Stop a session unless it has ended; return None if it is not known."""
        now = self.clock()
        register = self.registers.get(session_id)
        if register is not None:
            self.registers.stop(register, now, Reason.CALLER)
            self.journal.commit()
        return register

    def stop_all(self) -> None:
        """Stop all sessions because the process ends."""
        now = self.clock()
        for register in self.registers.running:
            self.registers.stop(register, now, Reason.SHUT_DOWN)

    def progress(self, owner: str | None) -> tuple[dict[str, float], float]:
        """Return the progress to report to a balancer: kWh by session, and their largest age."""
        now = self.clock()
        registers = self.registers.to_report(owner, now)
        reports = self._reports(registers, now)
        age_s = max((age_s for _, age_s in reports), default=0.0)
        sessions = {one.session_id: kwh for one, (kwh, _) in zip(registers, reports, strict=True)}
        return sessions, age_s

    def reports(self, registers: Iterable[Register]) -> list[tuple[float, float]]:
        """Return what may be reported of these registers, in order: kWh, and their age, seconds."""
        return self._reports(registers, self.clock())

    def _reports(self, registers: Iterable[Register], now: float) -> list[tuple[float, float]]:
        journal = self.journal
        reportable = journal.reportable([(one, one.kwh(now)) for one in registers], now)
        return [(kwh, journal.age_s(one, now)) for one, kwh in reportable]

    def ended(self, attempt: Attempt) -> None:
        """Record how an attempt ended, and wake those who wait for it."""
        self.journal.note(attempt.register)
        self.scheduler.wake(attempt.charging)
        self.scheduler.changed()
        end = self._ends.pop(attempt.register, None)
        if end is not None:
            end.set()

    def _refuse(self, session: Session) -> None:
        """Refuse a session that would begin an attempt and must not.

        Raises:
            Unavailable: it is refused.
        """
        if self.registers.needs_power(session):
            self.drain.refuse()
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
            self.journal.commit()

    def _leave(self, register: Register) -> None:
        self.registers.leave(register, self.clock())
        if self.registers.due < self._watched_until:
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
                self.registers.finish(register, self.clock())
        finally:
            self.drain.remove()

    def _is_charged(self, register: Register, charging: Charging) -> bool:
        """Wait until an attempt is fully charged; return False if it ended before."""
        while not self.scheduler.wait(charging):
            if register.charging is not charging:
                return False
        return register.charging is charging

    def _watch(self) -> None:
        """End sessions when their leases and grace periods are over, without waiting for a call."""
        while True:
            self._due_sooner.clear()
            now = self.clock()
            self.registers.end_due(now)
            due = self._watched_until = self.registers.due
            self._due_sooner.wait(None if due == inf else min(due - now, _MAX_SLEEP_S))
