"""A session's request to a substation after it was at others, and its response."""

import gc
import weakref

import pytest

from grid_common.api.charge import Session
from load_balancer.led_session import ChargeResult, LedSession
from load_balancer.routing.legs import LegRecord

SESSION = Session("s1", "EV-1", 10.0, 50.0, 40.0, 0.5)


def led(session: Session = SESSION) -> LedSession:
    return LedSession(
        session, request_id="r1", wait_s=60, grace_s=None, on_revoked=lambda _led, _dispatch: None
    )


def test_its_first_substation_is_asked_for_what_was_asked() -> None:
    one = led()
    one.legs.begin("a", "A", now=0.0)

    assert one.session_at("a") is SESSION


@pytest.mark.parametrize(
    ("got_kwh", "register", "kwh", "soc"),
    [
        pytest.param({"a": 4.0}, "b", 6.0, 0.6, id="at the next: the rest, of a fuller battery"),
        # The substation itself adds the 4 kWh that it gave before.
        pytest.param({"a": 4.0, "b": 2.0}, "a", 8.0, 0.55, id="back again: by its register"),
    ],
)
def test_it_is_asked_for_what_it_has_still_to_get(
    got_kwh: dict[str, float], register: str, kwh: float, soc: float
) -> None:
    one = led()
    for there, got in got_kwh.items():
        one.legs.update(there, got, now=0.0, substation=there.upper())

    asked = one.session_at(register)

    assert asked.kwh == kwh
    assert asked.soc == pytest.approx(soc)
    assert asked[:2] == SESSION[:2]
    assert asked[3:5] == SESSION[3:5]


def test_a_battery_is_never_reported_to_be_more_than_full() -> None:
    one = led(Session("s1", "EV-1", 10.0, None, 40.0, 0.75))
    one.legs.update("a", 11.0, now=0.0, substation="A")

    assert one.session_at("b").soc == 1.0


def test_the_choice_goes_by_what_is_left() -> None:
    one = led()
    one.legs.update("a", 4.0, now=0.0, substation="A")

    one.update_demand()

    assert one.queued.demand.kwh == 6.0
    assert one.queued.demand.soc == pytest.approx(0.6)


def test_one_that_was_closed_leaves_no_cycle_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        one = led()
        gone = weakref.ref(one)
        one.close()
        del one
        assert gone() is None
    finally:
        gc.enable()


def test_the_answer_lists_legs_and_reason_only_where_there_are_any() -> None:
    plain = ChargeResult("charged", SESSION, "A", 1, 0.0, 1.23456, {"energy_kwh": 10.0}, [])
    moved = plain._replace(
        status="stopped", legs=[LegRecord("A", 4.0, 1.0), LegRecord("B", 2.0, 2.0)], reason="x"
    )

    assert list(plain.document()) == [
        *("status", "session_id", "vehicle_id", "kwh", "substation"),
        *("attempts", "waited_s", "charging_s", "energy_kwh"),
    ]
    assert plain.document()["charging_s"] == 1.235
    assert moved.document()["reason"] == "x"
    assert moved.document()["legs"][1] == {
        "substation": "B",
        "energy_kwh": 2.0,
        "charging_s": 2.0,
    }
