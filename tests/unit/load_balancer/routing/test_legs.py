"""The legs of a session: what registers say, what is left, what may have flowed unheard."""

from math import inf, nextafter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from load_balancer.routing.legs import NOTHING_KWH, Legs
from tests.support.examples import examples

KWH = pytest.approx


def test_a_session_asks_its_first_substation_for_all() -> None:
    legs = Legs(10.0)

    legs.begin("a", "A", now=0.0)

    assert legs.target_kwh("a") == 10
    assert legs.remaining_kwh == 10
    assert not legs.is_complete


def test_one_that_moves_asks_for_the_rest_and_adds_up() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 4.0, now=5.0)
    legs.end("a", attempt_s=6.0)

    legs.begin("b", "B", now=7.0)
    assert legs.target_kwh("b") == 6
    legs.end("b", attempt_s=9.0, kwh=6.0)

    assert legs.is_complete
    assert legs.delivered_kwh == 10
    assert legs.charging_s == 15
    assert [tuple(leg) for leg in legs.records()] == [("A", 4.0, 6.0), ("B", 6.0, 9.0)]


def test_one_that_comes_back_asks_for_its_register_there_and_what_is_left() -> None:
    legs = Legs(10.0)
    for register, kwh in (("a", 4.0), ("b", 3.0)):
        legs.begin(register, register.upper(), now=0.0)
        legs.end(register, attempt_s=1.0, kwh=kwh)

    legs.begin("a", "A", now=9.0)

    assert legs.target_kwh("a") == 7  # 4 there before, 3 still to come
    assert [leg.substation for leg in legs.records()] == ["B", "A"]
    legs.end("a", attempt_s=1.0, kwh=7.0)
    assert legs.is_complete


def test_words_that_come_late_or_twice_never_lower_a_register() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)

    assert legs.update("a", 4.0, now=2.0)
    assert not legs.update("a", 4.0, now=3.0)
    assert not legs.update("a", 3.0, now=4.0)
    legs.end("a", attempt_s=5.0, kwh=2.0)

    assert legs.delivered_kwh == 4


def test_a_word_of_a_substation_without_a_leg_counts_only_if_it_is_named_and_of_energy() -> None:
    legs = Legs(10.0)

    assert not legs.update("a", 4.0, now=0.0)
    assert not legs.update("a", 0.0, now=0.0, substation="A")
    assert "a" not in legs
    assert legs.update("a", 4.0, now=0.0, substation="A")
    assert legs.target_kwh("b") == 6
    assert legs.records() == [("A", 4.0, 0.0)]


def test_what_was_sent_to_nobody_is_no_leg_but_energy_of_before_stays_one() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)
    legs.withdraw("a")
    assert len(legs) == 0
    assert legs.current is None

    legs.begin("a", "A", now=0.0)
    legs.update("a", 0.0, now=0.0)  # it knows of the session, which got nothing
    legs.withdraw("a")
    assert len(legs) == 0

    legs.update("a", 4.0, now=0.0, substation="A")
    legs.begin("a", "A", now=0.0)
    legs.withdraw("a")
    assert legs.delivered_kwh == 4


def test_a_register_that_was_lost_begins_at_0_and_what_it_reported_still_counts() -> None:
    legs = Legs(10.0)
    legs.update("a", 4.0, now=0.0, substation="A")

    legs.lose("a")
    legs.begin("a", "A", now=1.0)

    assert legs.delivered_kwh == 4
    assert legs.target_kwh("a") == 6


def test_nobody_is_asked_for_what_may_have_flowed_where_it_was_lost() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 4.0, now=100.0)
    legs.end("a", attempt_s=101.0)

    legs.reserve("a", "A", now=101.5, max_kwh_per_s=2.0)

    assert legs.target_kwh("b") == 3.0
    assert legs.target_kwh("a") == 10.0  # its own register tells
    assert not legs.has_to_wait
    assert legs.release("a")
    assert not legs.release("a")
    assert legs.target_kwh("b") == 6.0


@pytest.mark.parametrize(
    ("silent_s", "max_kwh_per_s", "waits"),
    [(0.9, 1.0, False), (1.0, 1.0, True), (0.1, None, True)],
)
def test_it_has_to_wait_where_all_that_is_left_may_have_flowed(
    silent_s: float, max_kwh_per_s: float | None, *, waits: bool
) -> None:
    legs = Legs(5.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 4.0, now=100.0)
    legs.end("a", attempt_s=101.0)

    legs.reserve("a", "A", 100.0 + silent_s, max_kwh_per_s)

    assert legs.has_to_wait is waits


def test_one_that_is_complete_waits_for_nothing() -> None:
    legs = Legs(5.0)
    legs.update("a", 5.0, now=0.0, substation="A")
    legs.reserve("b", "B", 1.0, 1.0)

    assert not legs.has_to_wait


def test_all_may_have_flowed_where_nothing_is_known() -> None:
    legs = Legs(5.0)

    legs.reserve("a", "A", 0.0, 1.0)

    assert legs.has_to_wait
    legs.rename("a", "b")
    assert "a" not in legs
    assert legs.reserved_kwh == 5.0
    assert legs.release("b")
    legs.update("b", 1.0, now=2.0)
    assert legs.records() == [("A", 1.0, 0.0)]


def test_a_attempt_that_begins_again_reserves_nothing_and_counts_from_its_begin() -> None:
    legs = Legs(5.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 4.0, now=4.0)
    legs.end("a", attempt_s=4.0)
    legs.reserve("a", "A", 5.0, 1.0)

    legs.begin("a", "A", now=60.0)
    assert legs.reserved_kwh == 0
    legs.reserve("a", "A", 60.25, 1.0)
    assert legs.reserved_kwh == 0.25


def test_energy_is_reserved_where_a_substation_was_lost_and_nowhere_else() -> None:
    legs = Legs(5.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 4.0, now=4.0)
    legs.update("b", 0.5, now=4.0, substation="B")
    assert not legs.is_reserved("a")

    legs.reserve("a", "A", 4.25, 1.0)

    assert [legs.is_reserved(register) for register in "abc"] == [True, False, False]


def test_rounding_is_neither_left_over_nor_too_much() -> None:
    legs = Legs(0.3)
    for register in "abc":
        legs.update(register, 0.1, now=0.0, substation=register)

    assert legs.is_complete
    assert legs.remaining_kwh == 0
    assert legs.newly_counted_twice_kwh() == 0


def test_energy_over_what_was_asked_is_counted_once() -> None:
    legs = Legs(5.0)
    legs.update("a", 4.0, now=0.0, substation="A")
    legs.update("b", 2.0, now=0.0, substation="B")

    assert legs.newly_counted_twice_kwh() == KWH(1.0)
    assert legs.newly_counted_twice_kwh() == 0
    legs.update("a", 4.5, now=1.0)
    assert legs.newly_counted_twice_kwh() == KWH(0.5)
    legs.update("a", 4.5 + NOTHING_KWH / 2, now=2.0)
    assert legs.newly_counted_twice_kwh() == 0


def test_power_is_reported_by_the_last_two_words() -> None:
    legs = Legs(5.0)
    legs.begin("a", "A", now=0.0)
    leg = legs.leg("a")
    assert leg is not None
    assert leg.kwh_per_s is None
    legs.update("a", 1.0, now=1.0)
    legs.update("a", 1.5, now=2.0)
    assert leg.kwh_per_s == KWH(0.5)
    legs.update("a", 3.0, now=4.0)
    assert leg.kwh_per_s == KWH(0.75)
    legs.update("a", 3.5, now=4.0)  # at the same time: no power can be told
    assert leg.kwh_per_s == KWH(0.75)
    assert leg.kwh == 3.5
    legs.update("a", 3.0, now=5.0)
    assert leg.kwh_per_s == 0


def test_attempts_at_one_substation_add_up_to_the_millisecond() -> None:
    legs = Legs(10.0)
    for kwh in (1.0, 2.0):
        legs.begin("a", "A", now=0.0)
        assert "a" in legs
        legs.end("a", attempt_s=1.2341, kwh=kwh)

    assert legs.charging_s == KWH(2.4682)
    assert legs.records() == [("A", 2.0, 2.468)]
    assert "b" not in legs


def test_a_session_without_legs_has_no_last_one() -> None:
    legs = Legs(10.0)
    assert legs.last is None
    legs.lose("a")
    legs.rename("a", "b")
    legs.withdraw("a")
    assert not legs.release("a")
    assert len(legs) == 0

    for register in "ab":
        legs.begin(register, register.upper(), now=0.0)
        legs.end(register, 1.0, 1.0)
    last = legs.last
    assert last is not None
    assert last.substation == "B"


def test_the_late_end_of_another_attempt_leaves_the_one_that_goes_on() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)
    legs.update("a", 1.0, now=1.0)
    legs.begin("b", "B", now=2.0)

    legs.end("a", attempt_s=2.0, kwh=1.5)
    assert legs.current == "b"
    legs.withdraw("a")
    assert legs.current == "b"
    legs.end("c", attempt_s=2.0, kwh=3.0)  # where it never was
    assert (legs.current, legs.delivered_kwh) == ("b", 1.5)


def test_a_attempt_without_energy_stays_a_leg_for_the_time_that_it_took() -> None:
    legs = Legs(10.0)
    legs.begin("a", "A", now=0.0)
    legs.end("a", attempt_s=5.0)
    legs.begin("a", "A", now=9.0)
    legs.withdraw("a")

    assert legs.charging_s == 5
    assert legs.records() == []


def test_a_leg_that_was_not_seen_before_may_be_of_little_energy() -> None:
    legs = Legs(10.0)
    assert legs.update("a", 0.5, now=0.0, substation="A")
    assert legs.update("a", 1.0, now=1.0)
    assert legs.delivered_kwh == 1.0


def test_what_is_reserved_at_all_substations_can_be_released_at_once() -> None:
    legs = Legs(10.0)
    for register in "ab":
        legs.update(register, 1.0, now=0.0, substation=register)
        legs.reserve(register, register, 2.0, 1.0)
    assert legs.reserved_kwh == 4

    legs.release_all()
    assert legs.reserved_kwh == 0


def test_two_legs_of_one_register_become_one_that_never_falls() -> None:
    for first_kwh, second_kwh in ((1.0, 2.0), (2.0, 1.0)):
        legs = Legs(10.0)
        for register, kwh in (("address", first_kwh), ("id", second_kwh)):
            legs.begin(register, "A", now=0.0)
            legs.end(register, attempt_s=kwh, kwh=kwh)
            legs.reserve(register, "A", now=10 * kwh, max_kwh_per_s=0.1)

        legs.rename("address", "id")

        assert legs.records() == [("A", 2.0, 3.0)]
        assert legs.reserved_kwh == KWH(2.0)
        assert "address" not in legs


def test_a_session_goes_on_where_its_register_got_another_id() -> None:
    legs = Legs(10.0)
    legs.begin("address", "A", now=0.0)
    legs.rename("address", "id")
    assert legs.current == "id"
    legs.rename("another", "yet another")
    assert legs.current == "id"


def test_a_billionth_of_a_kwh_is_nothing() -> None:
    asked = Legs(NOTHING_KWH)
    assert asked.remaining_kwh == 0
    assert asked.is_complete
    assert not asked.has_to_wait

    over = Legs(0.0)
    over.update("a", NOTHING_KWH, now=0.0, substation="A")
    assert over.newly_counted_twice_kwh() == 0

    kwh = nextafter(nextafter(NOTHING_KWH, inf), inf)
    over.update("a", kwh, now=1.0)
    assert over.newly_counted_twice_kwh() == kwh
    over.update("a", kwh + NOTHING_KWH, now=2.0)
    assert over.delivered_kwh - kwh == NOTHING_KWH
    assert over.newly_counted_twice_kwh() == 0

    nearly = Legs(1.0)
    nearly.update("a", 0.0, now=0.0, substation="A")
    nearly.begin("a", "A", now=0.0)
    nearly.reserve("a", "A", 1.0 - NOTHING_KWH, 1.0)
    assert nearly.has_to_wait


class Meter:
    """A substation's register, as it truly is."""

    def __init__(self) -> None:
        self.kwh = 0.0
        self.target_kwh = 0.0
        self.charges = False


ASKED_KWH = 10.0
REGISTERS = st.sampled_from("abc")


class MovingSession(RuleBasedStateMachine):
    """One session among three substations that break off, are cut off and come back.

    It follows the balancer's rules: totals are asked for; what was left behind goes on until it is
    stopped; each word that tells of more has the running leg amended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.legs = Legs(ASKED_KWH)
        self.meters = {register: Meter() for register in "abc"}
        self.now = 0.0
        self.given_up = False  # a substation before it had told
        self.counted_kwh = 0.0

    @property
    def true_kwh(self) -> float:
        return sum(meter.kwh for meter in self.meters.values())

    @rule(register=REGISTERS)
    def dispatch(self, register: str) -> None:
        free = self.legs.current is None and not self.legs.is_complete
        if free and not self.legs.has_to_wait:
            self.legs.begin(register, register.upper(), self.now)
            meter = self.meters[register]
            meter.target_kwh, meter.charges = self.legs.target_kwh(register), True

    @rule(register=REGISTERS, share=st.floats(0, 1))
    def charge(self, register: str, share: float) -> None:
        meter = self.meters[register]
        self.now += 1.0
        if meter.charges and meter.kwh < meter.target_kwh:
            meter.kwh += share * (meter.target_kwh - meter.kwh)

    @rule(register=REGISTERS)
    def tell(self, register: str) -> None:
        rose = self.legs.update(register, self.meters[register].kwh, self.now)
        if rose and register != self.legs.current:
            self.amend()

    @rule()
    def arrive_at_target(self) -> None:
        register = self.legs.current
        if register is not None:
            meter = self.meters[register]
            meter.kwh, meter.charges = max(meter.kwh, meter.target_kwh), False
            self.legs.end(register, 1.0, meter.kwh)

    @rule(heard=st.booleans())
    def break_off(self, heard: bool) -> None:
        """The attempt ends; the substation says so, dies, or is cut off and charges on."""
        register = self.legs.current
        if register is not None:
            meter = self.meters[register]
            meter.charges = not heard
            self.legs.end(register, 1.0, meter.kwh if heard else None)
            if not heard:
                self.legs.reserve(register, register.upper(), self.now, None)

    @rule(register=REGISTERS)
    def give_up(self, register: str) -> None:
        if register != self.legs.current and self.legs.release(register):
            self.given_up = True
            self.amend()

    @rule(register=REGISTERS)
    def lease_ends(self, register: str) -> None:
        if register != self.legs.current:
            self.meters[register].charges = False

    @rule(register=REGISTERS)
    def settle(self, register: str) -> None:
        if register != self.legs.current:
            self.meters[register].charges = False
            self.legs.update(register, self.meters[register].kwh, self.now)
            self.legs.release(register)
            self.amend()

    def known(self, register: str) -> float:
        leg = self.legs.leg(register)
        return leg.kwh if leg is not None else 0.0

    def amend(self) -> None:
        register = self.legs.current
        if register is not None:
            meter = self.meters[register]
            meter.target_kwh = self.legs.target_kwh(register)

    @invariant()
    def what_is_known_is_never_more_than_what_flowed(self) -> None:
        for register, meter in self.meters.items():
            assert self.known(register) <= meter.kwh + 1e-9

    @invariant()
    def no_more_than_was_asked_flows_unless_a_substation_was_given_up(self) -> None:
        assert self.given_up or self.true_kwh <= ASKED_KWH + 1e-8

    @precondition(lambda self: self.legs.is_complete)
    @invariant()
    def one_that_is_complete_got_what_it_asked_for(self) -> None:
        assert self.true_kwh >= ASKED_KWH - 1e-6

    @invariant()
    def what_was_delivered_twice_is_counted_once(self) -> None:
        self.counted_kwh += self.legs.newly_counted_twice_kwh()
        over_kwh = max(0.0, self.legs.delivered_kwh - ASKED_KWH)
        assert self.counted_kwh == pytest.approx(over_kwh, abs=1e-8)

    def teardown(self) -> None:
        """Once all is heard, the books show what flowed, and the rest completes the session."""
        for register in self.meters:
            if register != self.legs.current:
                self.settle(register)
        self.arrive_at_target()
        assert self.legs.delivered_kwh == pytest.approx(self.true_kwh)
        if not self.legs.is_complete:
            self.dispatch("a")
            self.arrive_at_target()
        assert self.legs.is_complete
        assert self.true_kwh >= ASKED_KWH - 1e-6
        assert self.legs.target_kwh("a") < inf


TestMovingSession = MovingSession.TestCase
TestMovingSession.settings = examples(300, steps=40)
