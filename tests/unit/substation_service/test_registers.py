"""What calls about sessions mean, and when sessions end by themselves, under a test's clock."""

import pytest

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from substation_service.charging import Demand
from substation_service.register import Reason, Register, State
from substation_service.registers import Attempt, Limits, Meaning, Registers
from substation_service.substation import Outcome, Substation, SubstationFull

PLAIN = Terms()
DURABLE = Terms(grace_s=10)


class World:
    """A substation whose vehicles get 1 kWh a second, and what ended there."""

    def __init__(self, points: int = 4, limits: Limits | None = None) -> None:
        self.substation = Substation(points, 60, time_scale=60)
        self.attempts: list[Attempt] = []
        self.registers = Registers(
            self.substation, self.attempts.append, 1000.0, limits or Limits()
        )

    def ask(
        self, name: str, kwh: float, now: float, terms: Terms = PLAIN, **reported: float
    ) -> tuple[Register, Meaning]:
        return self.registers.ask(Session(name, "EV", kwh, **reported), terms, now)

    def begin(self, name: str, kwh: float, now: float, terms: Terms = PLAIN) -> Register:
        register, meaning = self.ask(name, kwh, now, terms)
        assert meaning is Meaning.PLUGGED_IN
        return register

    def charged(self, name: str, kwh: float, now: float, terms: Terms = PLAIN) -> Register:
        """Charge a vehicle whole, from `now` on."""
        register = self.begin(name, kwh, now, terms)
        assert register.charging is not None
        self.registers.finish(register, register.charging.ends)
        self.registers.leave(register, register.charging.ends if register.charging else now + kwh)
        return register


def test_an_unknown_session_plugs_in_and_the_register_is_what_it_gets() -> None:
    world = World()
    register = world.charged("s", 5, now=0)

    assert (register.state, register.ended_kwh, register.reason) == (State.CHARGED, 5, None)
    assert (register.began_at, register.ended_at, register.charging_s) == (1000, 1005, 5)
    assert (register.mean_power_kw, register.peak_power_kw) == (60, 60)
    assert world.ask("s", 5, 100) == (register, Meaning.ENDED)
    assert world.ask("s", 3, 100) == (register, Meaning.ENDED)
    assert register.target_kwh == 5
    assert [attempt.kwh for attempt in world.attempts] == [5]


def test_a_full_substation_refuses_and_knows_nothing_of_the_session() -> None:
    world = World(points=1)
    world.begin("s", 5, 0)

    with pytest.raises(SubstationFull):
        world.ask("t", 5, 1)
    assert world.registers.get("t") is None
    assert world.ask("s", 5, 1)[1] is Meaning.ATTACHED  # needs no second point


def test_a_stopped_session_is_refused_where_full_and_keeps_its_register() -> None:
    world = World(points=1)
    register = world.begin("s", 5, 0)
    world.registers.stop(register, 2, Reason.CALLER)
    world.begin("t", 5, 2)

    assert world.registers.needs_power(Session("s", "EV", 5.0))
    with pytest.raises(SubstationFull):
        world.ask("s", 5, 3)
    assert world.ask("s", 2, 3) == (register, Meaning.ENDED)
    assert register.ended_kwh == 2


def test_a_higher_target_continues_from_the_register_at_the_resulting_state_of_charge() -> None:
    world = World()
    reported = {"battery_kwh": 100.0, "soc": 0.7}  # tapers from 80% on
    register, _ = world.ask("s", 10, 0, PLAIN, **reported)
    world.registers.finish(register, 10)
    alone = World()
    whole, _ = alone.ask("s", 20, 0, PLAIN, **reported)

    again, meaning = world.ask("s", 20, 50, PLAIN, **reported)

    assert (again, meaning) == (register, Meaning.PLUGGED_IN)
    assert register.charging is not None
    assert whole.charging is not None
    assert register.kwh(50) == 10
    assert register.charging.ends - 40 == pytest.approx(whole.charging.ends)
    world.registers.finish(register, register.charging.ends)
    assert register.ended_kwh == 20
    assert register.charging_s == pytest.approx(whole.charging.ends)
    assert register.peak_power_kw == 60
    assert world.registers.meter_kwh(99) == 20


def test_a_lower_target_amends_what_charges_and_one_that_it_has_ends_it_now() -> None:
    world = World()
    register = world.begin("s", 50, 0, DURABLE)

    assert world.ask("s", 10, 4, DURABLE) == (register, Meaning.ATTACHED)
    assert register.charging is not None
    assert register.charging.ends == 10
    world.ask("s", 30, 5)
    assert register.charging.ends == 30
    world.ask("s", 2, 6)
    assert register.charging.ends == 6
    world.registers.finish(register, 6)
    assert (register.state, register.ended_kwh, register.target_kwh) == (State.CHARGED, 6, 2)


def test_a_plain_session_ends_with_its_last_caller() -> None:
    world = World()
    register = world.begin("s", 50, 0)
    world.ask("s", 50, 1)
    world.registers.leave(register, 2)
    assert register.state is State.CHARGING
    world.registers.leave(register, 3)

    assert (register.state, register.reason) == (State.STOPPED, Reason.DISCONNECTED)
    assert [(attempt.outcome, attempt.kwh) for attempt in world.attempts] == [(Outcome.ABORTED, 3)]


def test_a_durable_session_has_its_grace_from_its_last_caller_on() -> None:
    world = World()
    register = world.begin("s", 100, 0, DURABLE)
    world.registers.leave(register, 1)
    assert world.registers.due == 11
    world.ask("s", 100, 10, DURABLE)
    world.registers.end_due(30)
    assert register.state is State.CHARGING
    world.registers.leave(register, 40)

    world.registers.end_due(49.9)
    assert register.state is State.CHARGING
    world.registers.end_due(1000)  # however late

    assert (register.reason, register.ended_kwh, register.ended_at) == (Reason.GRACE, 50, 1050)


def test_a_session_that_was_charged_before_its_grace_ended_is_charged() -> None:
    world = World()
    register = world.begin("s", 5, 0, DURABLE)
    world.registers.leave(register, 1)

    world.registers.end_due(100)

    assert (register.state, register.ended_kwh) == (State.CHARGED, 5)


def test_a_lease_ends_connected_sessions_of_a_silent_owner_and_only_those() -> None:
    world = World()
    held = world.begin("held", 100, 0, Terms(60, "b", 3))
    gone = world.begin("gone", 100, 0, Terms(60, "b", 3))
    others = world.begin("others", 100, 0, Terms(None, "c", 30))
    unled = world.begin("unled", 100, 0)
    world.registers.leave(gone, 1)
    world.registers.to_report("b", 2)
    world.registers.to_report("c", 4)
    world.registers.note_heartbeat("another", 4.5)

    world.registers.end_due(20)

    assert (held.reason, held.ended_kwh) == (Reason.LEASE, 5)
    assert [one.state for one in (gone, others, unled)] == [State.CHARGING] * 3
    world.registers.end_due(100)
    assert (others.reason, others.ended_kwh) == (Reason.LEASE, 34)
    assert (gone.reason, gone.ended_kwh) == (Reason.GRACE, 61)
    assert unled.state is State.CHARGED or unled.charging is not None


def test_a_balancer_is_not_silent_while_the_ends_of_its_connections_are_being_read() -> None:
    world = World()
    many = [world.begin(f"s{number}", 100, 0, Terms(60, "b", 3)) for number in range(4)]

    for now, register in enumerate(many, 2):  # it died at 2, and each takes a second to be read
        world.registers.leave(register, now)

    world.registers.end_due(20)
    assert {one.state for one in many} == {State.CHARGING}


def test_a_session_follows_the_balancer_that_asked_for_it_last() -> None:
    world = World()
    register = world.begin("s", 100, 0, Terms(60, "old", 3))
    world.ask("s", 100, 2, Terms(60, "new", 3))

    for now in (4, 6, 8):
        world.registers.to_report("new", now)
    world.registers.end_due(10)

    assert register.state is State.CHARGING
    world.registers.end_due(11)
    assert register.reason is Reason.LEASE


def test_a_lease_is_over_with_the_connection_and_not_that_of_the_next_caller() -> None:
    world = World()
    register = world.begin("s", 100, 0, Terms(60, "b", 3))
    world.registers.leave(register, 1)
    world.ask("s", 100, 2, DURABLE)

    world.registers.end_due(50)

    assert (register.state, register.owner) == (State.CHARGING, None)


def test_the_events_of_a_frozen_time_happen_in_their_order_with_the_power_of_their_time() -> None:
    world = World(points=2)
    world.substation.set_limit(60, 0)  # half a kWh a second each
    first = world.begin("first", 100, 0, Terms(None, "b", 10))
    second = world.begin("second", 100, 0, DURABLE)
    world.registers.leave(second, 10)

    world.registers.end_due(1000)

    assert first.ended_kwh == pytest.approx(7.5)  # first come
    assert first.reason is Reason.LEASE
    assert second.ended_kwh == pytest.approx(2.5 + 10)  # all of the power from then on
    assert second.reason is Reason.GRACE


def test_each_balancer_is_reported_twice_of_what_ended_without_an_answer() -> None:
    world = World()
    stopped = world.begin("stopped", 100, 0, DURABLE)
    assert world.registers.to_report("b", 1) == [stopped]
    world.registers.stop(stopped, 2, Reason.CALLER)
    durable = world.charged("durable", 1, 3, DURABLE)
    world.charged("answered", 1, 3)

    reported = [world.registers.to_report("b", 10) for _ in range(3)]

    assert reported == [[stopped, durable], [stopped, durable], []]
    assert (
        world.registers.to_report("c", 11)
        == world.registers.to_report(None, 11)
        == [stopped, durable]
    )
    assert world.registers.to_report("d", 63) == [durable]  # of a minute
    again = world.begin("stopped", 100, 65, DURABLE)
    assert world.registers.to_report("e", 65) == [again]


def test_balancers_beyond_the_most_are_forgotten_but_never_one_that_leads() -> None:
    world = World()
    register = world.begin("s", 1000, 0, Terms(None, "leads", 500))
    for number in range(200):
        world.registers.note_heartbeat(f"b{number}", 1 + number)

    world.registers.end_due(499)
    assert register.state is State.CHARGING
    world.registers.end_due(500)
    assert register.reason is Reason.LEASE


def test_what_is_forgotten_is_the_oldest_of_its_kind_and_stays_in_the_meter() -> None:
    world = World(limits=Limits(plain=8, others=4))
    for number in range(10):
        world.charged(f"plain-{number}", 1, 10 * number)
    for number in range(6):
        world.charged(f"durable-{number}", 1, 100 + 10 * number, DURABLE)

    known = {one.session_id for one in world.registers.ended}

    assert known == {f"plain-{number}" for number in range(2, 10)} | {
        f"durable-{number}" for number in range(2, 6)
    }
    assert world.registers.forgotten_kwh == 4
    assert world.registers.meter_kwh(1000) == 16
    assert [one.number for one in world.registers.ended] == sorted(
        (one.number for one in world.registers.ended), reverse=True
    )


def test_what_is_reported_of_a_name_is_never_of_one_that_was_forgotten() -> None:
    world = World(limits=Limits(plain=1, others=1))
    first = world.begin("s", 5, 0, DURABLE)
    world.registers.stop(first, 2, Reason.CALLER)
    world.charged("another", 1, 3, DURABLE)
    assert world.registers.get("s") is None

    again = world.begin("s", 5, 5, DURABLE)

    assert [one for one in world.registers.to_report("b", 6) if one.session_id == "s"] == [again]


def test_stopping_what_has_all_charges_it_and_stopping_twice_is_nothing() -> None:
    world = World()
    register = world.begin("s", 5, 0)
    world.registers.stop(register, 9, Reason.CALLER)
    assert register.state is State.CHARGED
    world.registers.stop(register, 10, Reason.CALLER)
    assert len(world.attempts) == 1


def test_a_stopped_session_that_has_what_is_asked_for_now_is_charged() -> None:
    world = World()
    register = world.begin("s", 5, 0)
    world.registers.stop(register, 2, Reason.CALLER)

    assert world.ask("s", 1.5, 3) == (register, Meaning.ENDED)
    assert (register.state, register.reason, register.target_kwh) == (State.CHARGED, None, 1.5)
    assert register.callers == 1  # of the attempt that was stopped: an answer at once is none


def test_a_session_needs_power_unless_it_charges_or_has_what_it_asks_for() -> None:
    world = World()
    assert world.registers.needs_power(Session("s", "EV", 5.0))
    register = world.begin("s", 5, 0)
    assert not world.registers.needs_power(Session("s", "EV", 50.0))

    world.registers.finish(register, 5)

    assert not world.registers.needs_power(Session("s", "EV", 5.0))
    assert world.registers.needs_power(Session("s", "EV", 5.5))


def test_a_attempt_that_begins_again_is_as_its_caller_says_now() -> None:
    world = World()
    register = world.begin("s", 5, 0, Terms(10, "b", 3))
    world.registers.stop(register, 2, Reason.CALLER)
    register.noted, before = True, register.number

    session = Session("s", "another EV", 4.0)
    assert world.registers.ask(session, PLAIN, 50) == (register, Meaning.PLUGGED_IN)

    assert (register.vehicle_id, register.target_kwh, register.reported_kwh) == ("another EV", 4, 2)
    assert (register.grace_s, register.owner, register.ended_at) == (None, None, None)
    assert (register.state, register.reason, register.noted) == (State.CHARGING, None, False)
    assert (register.began_at, register.number) == (1000, before + 1)
    assert world.registers.running == [register]
    assert list(world.registers.ended) == []
    assert world.registers.meter_kwh(51) == 3
    world.registers.finish(register, 52)
    assert (register.ended_kwh, register.charging_s, register.ended_at) == (4, 4, 1052)
    assert list(world.registers.ended) == [register]


def test_a_battery_is_full_at_the_most_when_a_attempt_begins_again() -> None:
    world = World()
    reported = {"battery_kwh": 10.0, "soc": 0.9}
    register, _ = world.ask("s", 4, 0, PLAIN, **reported)
    world.registers.stop(register, 8, Reason.CALLER)
    full = World()
    other, _ = full.ask("s", 4 - register.ended_kwh, 50, PLAIN, battery_kwh=10.0, soc=1.0)

    world.ask("s", 4, 50, PLAIN, **reported)

    assert register.ended_kwh > 1  # so that what was told would make more than a full battery
    assert register.charging is not None
    assert other.charging is not None
    assert register.charging.ends == pytest.approx(other.charging.ends)


def test_a_journal_has_to_note_a_new_target_and_no_old_one() -> None:
    world = World()
    register = world.begin("s", 5, 0)
    register.noted = True
    world.ask("s", 5, 1)
    assert register.noted
    world.ask("s", 6, 1)
    assert not register.noted


def test_what_rounding_leaves_of_a_target_is_none() -> None:
    world = World()
    register = world.begin("s", 0.1, 0)
    world.registers.finish(register, 0.1)
    world.ask("s", 0.3, 1)
    assert register.charging is not None
    world.registers.finish(register, register.charging.ends)

    assert register.ended_kwh == 0.3


def test_what_was_kept_over_a_restart_is_known_as_it_ended() -> None:
    world = World(limits=Limits(plain=2, others=2))
    kept = [Register(name, "EV", kwh, 900) for name, kwh in (("a", 1), ("b", 2), ("c", 4))]
    for one in kept:
        one.state, one.ended_kwh, one.ended_at = State.CHARGED, one.target_kwh, 950
    kept[1].state, kept[1].reason = State.STOPPED, Reason.CALLER

    world.registers.restore(kept, forgotten_kwh=8)

    assert world.registers.meter_kwh(0) == 15
    assert world.registers.forgotten_kwh == 8
    assert list(world.registers.ended) == [kept[2], kept[1], kept[0]]
    assert list(world.registers.ended_from(kept[1].number)) == [kept[1], kept[0]]
    assert world.ask("a", 1, 0) == (kept[0], Meaning.ENDED)
    assert world.ask("b", 3, 0) == (kept[1], Meaning.PLUGGED_IN)
    world.registers.finish(kept[1], 1)
    assert kept[1].ended_kwh == 3
    assert world.registers.meter_kwh(1) == 16


def test_a_session_of_a_register_of_another_name_is_another() -> None:
    world = World()
    assert world.registers.get("s") is None
    register = world.begin("s", 5, 0)
    assert world.registers.get("s") is register
    for now, terms in ((5, DURABLE), (10, PLAIN)):
        world.registers.finish(register, now)
        assert world.registers.get("s") is register
        world.ask("s", now + 5, now, terms)
    assert World().registers.id == ""
    assert world.registers.get("t") is None


def test_an_attempt_is_as_its_session_reports() -> None:
    world = World()
    register, _ = world.ask("s", 30, 7, max_power_kw=30.0, battery_kwh=100.0, soc=0.75)

    assert (register.vehicle_id, register.began_at) == ("EV", 1007)
    assert register.charging is not None
    assert register.charging.demand == Demand(30, 30.0, 100.0, 0.75)
    charging = register.charging
    world.registers.stop(register, 17, Reason.CALLER)
    [attempt] = world.attempts
    assert (attempt.register, attempt.charging, attempt.charging_s) == (register, charging, 10)


def test_a_battery_that_is_reported_too_full_is_full_and_one_of_no_size_is_as_reported() -> None:
    for reported, soc in (({"soc": 0.9, "battery_kwh": 10.0}, 1.0), ({"soc": 0.9}, 0.9)):
        world = World()
        world.charged("s", 5, 0)
        register, _ = world.ask("s", 6, 10, PLAIN, **reported)
        assert register.charging is not None
        assert register.charging.demand.soc == soc


def test_a_register_that_has_its_target_but_for_rounding_has_it() -> None:
    world = World()
    register = world.charged("s", 0.2, 0)
    assert world.ask("s", 0.9, 10)[1] is Meaning.PLUGGED_IN
    world.registers.finish(register, 20)
    assert register.ended_kwh == 0.9 != 0.2 + (0.9 - 0.2)


def test_what_is_due_at_a_moment_has_ended_before_any_call_of_that_moment() -> None:
    world = World()
    register = world.begin("s", 100, 0, DURABLE)
    world.registers.leave(register, 1)
    assert world.ask("s", 100, 11, DURABLE) == (register, Meaning.PLUGGED_IN)

    for call in (Registers.finish, Registers.leave):
        world = World()
        other = world.begin("other", 6, 5)
        register = world.begin("s", 100, 0, DURABLE)
        world.registers.leave(register, 1)
        call(world.registers, other, 11)
        assert register.reason is Reason.GRACE
        assert [attempt.register for attempt in world.attempts] == [register, other]


def test_at_one_moment_leases_end_before_graces() -> None:
    world = World()
    graced = world.begin("graced", 100, 0, DURABLE)
    world.registers.leave(graced, 1)
    leased = world.begin("leased", 100, 1, Terms(None, "b", 10))

    world.registers.end_due(11)

    assert [attempt.register for attempt in world.attempts] == [leased, graced]


def test_the_newest_is_remembered_however_few_are() -> None:
    world = World(limits=Limits(plain=1, others=1))
    for name in ("old", "new"):
        world.charged(name, 1, 0 if name == "old" else 10)
    assert [one.session_id for one in world.registers.ended] == ["new"]
