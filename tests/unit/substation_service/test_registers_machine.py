"""Whatever happens to sessions: no kWh is lost, and none counted twice."""

from math import fsum, inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from substation_service.journal_format import Kept, decode, encode, row
from substation_service.register import EPSILON_KWH, Reason, Register, State
from substation_service.registers import Attempt, Limits, Meaning, Registers
from substation_service.substation import Substation, SubstationFull
from tests.support.examples import examples

DUST = 1e-6
NAMES = st.sampled_from("abcd")
OWNERS = st.sampled_from(["o", "p"])
TERMS = st.builds(
    Terms,
    grace_s=st.none() | st.sampled_from([0.0, 5.0, 60.0]),
    owner=st.none() | OWNERS,
    lease_s=st.none() | st.sampled_from([2.0, 20.0]),
)


class Machine(RuleBasedStateMachine):
    """Registers, a journal of lines, and what a balancer would remember of all it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lines = [encode({"at": 0.0, "forgotten_kwh": 0.0})]
        self.reported: dict[str, float] = {}
        self.delivered = 0.0  # in lives that ended
        self.begin()

    def begin(self) -> None:
        self.substation = Substation(3, 60, 90, time_scale=60)
        self.registers = Registers(self.substation, self.ended, limits=Limits(1, 2))
        self.callers: list[Register] = []
        self.left: dict[Register, float] = {}
        self.most_kwh: dict[str, float] = {}
        self.steps = 0
        self.last_heartbeat: dict[str, float] = {}
        self.leases: dict[str, float] = {}

    def keep(self, **document: Any) -> None:
        self.lines.append(encode({"at": self.now, **document}))

    def ended(self, attempt: Attempt) -> None:
        one = attempt.register
        if one.reason is Reason.LEASE:
            assert one.owner is not None
            ends = self.last_heartbeat[one.owner] + self.leases[one.owner]
            assert abs((one.ended_at or 0.0) - ends) <= DUST
        if one.reason is Reason.GRACE:
            assert abs((one.ended_at or 0.0) - self.left[one] - (one.grace_s or 0.0)) <= DUST
        self.keep(registers=[row(one, None)])
        self.reported[one.session_id] = max(self.reported.get(one.session_id, 0.0), one.ended_kwh)

    @rule(name=NAMES, kwh=st.sampled_from([1.0, 5.0, 20.0, 100.0]), terms=TERMS)
    def ask(self, name: str, kwh: float, terms: Terms) -> None:
        session = Session(name, "EV", kwh)
        self.registers.end_due(self.now)
        before = self.registers.get(name)
        before_kwh = before.kwh(self.now) if before else 0.0
        needs_power = self.registers.needs_power(session)
        try:
            register, meaning = self.registers.ask(session, terms, self.now)
        except SubstationFull:
            assert needs_power
            assert self.substation.load == self.substation.capacity
            return
        assert needs_power == (meaning is Meaning.PLUGGED_IN)
        assert abs(register.kwh(self.now) - before_kwh) <= DUST
        if meaning is Meaning.ENDED:
            assert register.state is State.CHARGED
            assert register.ended_kwh >= kwh - EPSILON_KWH
            return
        self.most_kwh[name] = max(kwh, before_kwh)
        if before is None:  # new, or forgotten
            self.reported.pop(name, None)
        assert register.target_kwh == kwh
        self.callers.append(register)
        if terms.owner is not None:
            self.last_heartbeat[terms.owner] = self.now
            self.leases[terms.owner] = inf if terms.lease_s is None else terms.lease_s

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        one = self.callers.pop(self.which(data, len(self.callers)))
        self.left[one] = self.now
        # That a connection ends is a word of whoever had it.
        owner = one.owner if one.callers == 1 and one.charging else None
        self.registers.leave(one, self.now)
        if owner is not None:
            self.last_heartbeat[owner] = self.now

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0, 100.0]), late=st.booleans())
    def time_passes(self, seconds: float, *, late: bool) -> None:
        """Let time pass; if not late, drivers look at each event as a scheduler has them do."""
        then = self.now + seconds
        while not late:
            event = self.substation.next_event(self.now)
            self.now = min(then, max(self.now, self.registers.due), event or inf)
            self.registers.end_due(self.now)
            self.finish()
            if self.now >= then or (self.registers.due > then and (event or inf) > then):
                break
        self.now = then
        self.registers.end_due(self.now)
        self.finish()

    def finish(self) -> None:
        for register in self.registers.running:
            if register.charging and not self.substation.remaining_s(register.charging, self.now):
                self.registers.finish(register, self.now)

    @rule(name=NAMES, sure=st.booleans())
    def stop(self, name: str, *, sure: bool) -> None:
        register = self.registers.get(name)
        if register is not None and sure:
            self.registers.stop(register, self.now, Reason.CALLER)
            assert register.charging is None

    @rule(owner=st.none() | OWNERS)
    def to_report(self, owner: str | None) -> None:
        reported = [(one, one.kwh(self.now)) for one in self.registers.to_report(owner, self.now)]
        if owner is not None:
            self.last_heartbeat[owner] = self.now
        running = [(one, kwh) for one, kwh in reported if one.charging]
        assert {one for one, _ in running} == set(self.registers.running)
        self.keep(
            registers=[
                row(one, one.charging.began) for one, _ in running if one.charging and not one.noted
            ],
            progress={one.session_id: kwh for one, kwh in running},
        )
        for one, kwh in reported:
            one.noted = one.charging is not None
            self.reported[one.session_id] = max(self.reported.get(one.session_id, 0.0), kwh)

    @precondition(lambda self: self.steps > 10)
    @rule(torn=st.booleans())
    def crash(self, *, torn: bool) -> None:
        """Begin anew with what the lines say, the last of them perhaps torn."""
        lines = [*self.lines, *([b'0011aabb {"at":'] if torn else [])]
        kept = Kept(decode(lines))
        known, cut = kept.registers(60)
        self.begin()
        self.registers.restore(known, kept.forgotten_kwh)
        for register in known:
            assert register.state is not State.CHARGING
            assert register.ended_kwh >= self.reported.get(register.session_id, 0.0) - DUST
        assert all(register.reason is Reason.RESTARTED for register, _ in cut)
        self.lines = [encode({"at": self.now, "forgotten_kwh": self.registers.forgotten_kwh})]
        self.keep(registers=[row(one, None) for one in reversed(list(self.registers.ended))])
        self.delivered = self.registers.meter_kwh(self.now)

    @invariant()
    def nobody_gets_more_than_asked_for(self) -> None:
        self.steps += 1
        for one in self.registers.running:
            assert one.kwh(self.now) <= self.most_kwh[one.session_id] + DUST
        for name, most_kwh in self.most_kwh.items():
            register = self.registers.get(name)
            assert register is None or register.ended_kwh <= most_kwh + DUST

    @invariant()
    def sums_agree(self) -> None:
        registers, now = self.registers, self.now
        known = [*registers.running, *registers.ended]
        meter = registers.meter_kwh(now)
        assert abs(fsum(one.kwh(now) for one in known) + registers.forgotten_kwh - meter) <= DUST
        charging = fsum(
            one.charging.delivered_kwh(now) for one in registers.running if one.charging
        )
        by_substation = (
            self.delivered + fsum(self.substation.energy_delivered_kwh.values()) + charging
        )
        assert abs(by_substation - meter) <= DUST
        assert len({one.session_id for one in known}) == len(known)

    @invariant()
    def each_stands_where_it_says(self) -> None:
        registers, now = self.registers, self.now
        assert len(registers.running) == self.substation.load
        for one in registers.running:
            assert one.charging is not None
            assert self.substation.has(one.charging)
            assert one.callers == self.callers.count(one)
            assert one.callers or (one.grace_ends is not None and one.grace_ends >= now)
            if one.callers and one.owner is not None:
                assert now <= self.last_heartbeat[one.owner] + self.leases[one.owner]
        for one in registers.ended:
            assert one.charging is None
            assert (one.state is State.STOPPED) == (one.reason is not None)
            if one.state is State.CHARGED:
                assert one.ended_kwh >= one.target_kwh - EPSILON_KWH

    @staticmethod
    def which(data: st.DataObject, count: int) -> int:
        return data.draw(st.integers(0, count - 1))


TestRegisters = Machine.TestCase
TestRegisters.settings = examples(250, steps=50)
