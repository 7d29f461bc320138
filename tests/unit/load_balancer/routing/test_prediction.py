"""Predictions agree with a real substation wherever its sessions are as its gauges suggest."""

from math import inf, isinf
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.routing import prediction
from load_balancer.routing.demand import ChargingStage, Demand
from load_balancer.routing.prediction import Supply, alone_s, predict
from substation_service import charging
from substation_service.substation import Outcome, Substation

HOURS_PER_S = 360 / 3600
POWERS = st.floats(1, 400)


def supply(
    sessions: int, committed_kw: float, remaining_kwh: float, *, limit_kw: float = inf
) -> Supply:
    return Supply(sessions, committed_kw, remaining_kwh, 50, limit_kw, HOURS_PER_S)


def spread(sessions: int, remaining_kwh: float) -> list[float]:
    """Energies spread as a prediction takes them to be."""
    return [(2 * index + 1) * remaining_kwh / sessions**2 for index in range(sessions)]


def real_s(substation: Substation, demand: Demand) -> tuple[float, float]:
    """Let a vehicle wait at a real substation; return when it starts and how long it charges."""
    now = 0.0
    mine = None
    while True:
        if mine is None and substation.load < substation.capacity:
            mine, started = substation.plug_in(charging.Demand(*demand), now), now
        for one in substation.finished(now):
            substation.unplug(one, now, Outcome.CHARGED)
            if one is mine:
                return started, now - started
        if mine is not None or substation.load == substation.capacity:
            event = substation.next_event(now)
            assert event is not None
            now = max(now, event)


def real_substation(
    points: int, sessions: int, each_kw: float, remaining_kwh: float, limit_kw: float
) -> Substation:
    substation = Substation(points, 50, limit_kw, time_scale=360)
    for kwh in spread(sessions, remaining_kwh):
        substation.plug_in(charging.Demand(kwh, each_kw), 0.0)
    return substation


def test_an_empty_substation_gives_all_that_the_vehicle_can_draw() -> None:
    prediction = predict(supply(0, 0, 0), Demand(25).stages(50))
    assert tuple(prediction) == pytest.approx((0, 5, 0))  # half an hour at a time scale of 360
    assert prediction.finish_s == prediction.start_s + prediction.charging_s


def test_others_that_leave_enough_power_do_not_count() -> None:
    stages = Demand(25).stages(50)
    beside = supply(3, 150, 60, limit_kw=200)
    assert predict(beside, stages).charging_s == alone_s(beside, stages) == pytest.approx(5)


def test_a_newcomer_gets_what_is_left_and_more_as_others_end() -> None:
    stages = Demand(25).stages(50)
    crowded = predict(supply(4, 200, 80, limit_kw=220), stages).charging_s
    more_crowded = predict(supply(6, 300, 120, limit_kw=220), stages).charging_s
    nearly_done = predict(supply(4, 200, 4, limit_kw=220), stages).charging_s
    assert 5 < nearly_done < crowded < more_crowded


def test_a_newcomer_has_half_an_equal_share_at_least() -> None:
    # Four others that could draw all of the limit, and for ever.
    prediction = predict(supply(4, 200, 1e9, limit_kw=100), Demand(1).stages(50))
    assert prediction.charging_s == pytest.approx(1 / (0.5 * 100 / 5) / HOURS_PER_S)


def test_what_it_draws_beyond_the_room_that_others_leave_is_their_loss() -> None:
    # Beside four that leave 20 kW it needs no guarantee; beside five that leave none it has
    # 0.5 x 200 / 6 kW of what is theirs, for as long as they are there.
    assert predict(supply(4, 180, 1e9, limit_kw=200), Demand(10).stages(50)).slows_s == 0
    taken = predict(supply(5, 250, 1e9, limit_kw=200), Demand(10).stages(50))
    assert taken.slows_s == pytest.approx(10 / 50 / HOURS_PER_S)
    alone = predict(supply(2, 100, 1e9, limit_kw=200), Demand(10).stages(50))
    assert alone.slows_s == 0


# Three sessions that could draw 50 kW each of 100: one ends after 1 kWh, the others 2 kWh apart.
CROWDED = supply(3, 150, 9, limit_kw=100)


def test_what_it_takes_from_others_is_summed_up_from_end_to_end() -> None:
    # Beside three it has half of 25 kW for 1 / (87.5 / 3) h, beside two half of 33.3 kW for
    # 2 / (83.3 / 2) h; then one leaves it all that it can draw.
    taken_kwh = 12.5 * 3 / 87.5 + 100 / 6 * 0.048
    hours = 3 / 87.5 + 0.048 + (5 - taken_kwh) / 50

    reported = predict(CROWDED, [ChargingStage(5, 50)])

    assert reported.charging_s == pytest.approx(hours / HOURS_PER_S)
    assert reported.slows_s == pytest.approx(taken_kwh / 50 / HOURS_PER_S)


def test_from_the_last_end_that_is_followed_it_takes_from_those_who_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "MAX_ENDS", 1)
    left_kwh = 5 - 12.5 * 3 / 87.5

    reported = predict(CROWDED, [ChargingStage(5, 50)])

    assert reported.charging_s == pytest.approx((3 / 87.5 + left_kwh / (100 / 6)) / HOURS_PER_S)
    assert reported.slows_s == pytest.approx(5 / 50 / HOURS_PER_S)


@pytest.mark.parametrize("limit_kw", [60, 100, 110, 130])
@pytest.mark.parametrize("most_ends", [1, 256])
def test_a_session_in_parts_is_predicted_as_one_in_whole(
    monkeypatch: pytest.MonkeyPatch, limit_kw: float, most_ends: int
) -> None:
    monkeypatch.setattr(prediction, "MAX_ENDS", most_ends)
    crowded = supply(3, 150, 9, limit_kw=limit_kw)
    parts = [ChargingStage(kwh, 50) for kwh in (0.1, 0.2, 0.3, 0.4, 0.5, 1.5, 2)]

    assert tuple(predict(crowded, parts)) == pytest.approx(predict(crowded, [ChargingStage(5, 50)]))


def test_without_power_a_vehicle_is_never_charged() -> None:
    assert isinf(predict(supply(0, 0, 0, limit_kw=0), Demand(1).stages(50)).finish_s)
    assert isinf(predict(supply(2, 0, 9, limit_kw=100), Demand(1).stages(50), after_ends=1).start_s)
    assert predict(supply(2, 0, 0), Demand(5).stages(50), after_ends=1).start_s == 0
    assert tuple(predict(supply(2, 100, 9, limit_kw=0), Demand(1).stages(50))) == (0, inf, 0)


def test_a_full_substation_frees_a_point_when_its_first_session_ends() -> None:
    full = supply(4, 200, 160)  # 10, 30, 50 and 70 kWh at 50 kW
    assert predict(full, Demand(25).stages(50), after_ends=1).start_s == pytest.approx(2)
    assert predict(full, Demand(25).stages(50), after_ends=2).start_s == pytest.approx(6)
    held_back = supply(4, 200, 160, limit_kw=100)  # the first gets 25 kW, the next 33.3 kW
    assert predict(held_back, [ChargingStage(1, 50)], after_ends=1).start_s == pytest.approx(4)
    assert predict(held_back, [ChargingStage(1, 50)], after_ends=2).start_s == pytest.approx(10)


def test_256_ends_are_waited_for_and_no_more() -> None:
    crowd = supply(300, 15_000, 300)
    assert predict(crowd, [ChargingStage(1, 50)], after_ends=256).start_s < inf
    assert predict(crowd, [ChargingStage(1, 50)], after_ends=257).start_s == inf


def test_where_more_are_in_line_than_points_their_sessions_end_first_too() -> None:
    full = supply(2, 100, 40)  # 10 and 30 kWh at 50 kW
    stages = Demand(25).stages(50)  # 5 s
    starts = [predict(full, stages, after_ends=ends).start_s for ends in range(1, 6)]
    assert starts == pytest.approx([2, 6, 7, 11, 12])


@given(
    sessions=st.integers(1, 8),
    each_kw=st.floats(5, 50),
    remaining_kwh=st.floats(1, 400),
    room=st.floats(0, 2),
    kwh=st.floats(1, 80),
    max_power_kw=st.floats(5, 60),
    full=st.booleans(),
)
def test_it_is_right_to_the_second_where_the_limit_holds_back_none_of_the_others(
    sessions: int,
    each_kw: float,
    remaining_kwh: float,
    room: float,
    kwh: float,
    max_power_kw: float,
    full: bool,
) -> None:
    demand = Demand(kwh, max_power_kw)
    limit_kw = sessions * each_kw + room * demand.cap_kw(50)
    gauges = supply(sessions, sessions * each_kw, remaining_kwh, limit_kw=limit_kw)
    predicted = predict(gauges, demand.stages(50), after_ends=int(full))
    substation = real_substation(sessions + (not full), sessions, each_kw, remaining_kwh, limit_kw)
    start_s, charging_s = real_s(substation, demand)
    assert predicted.start_s == pytest.approx(start_s, rel=1e-6)
    # Where the newcomer's guaranteed share takes from the last that came, it is a little less.
    share = limit_kw - sessions * each_kw
    if full or share >= min(demand.cap_kw(50), 0.5 * limit_kw / (sessions + 1)):
        assert predicted.charging_s == pytest.approx(charging_s, rel=1e-6)
    else:
        assert predicted.charging_s == pytest.approx(charging_s, rel=0.1)


@given(
    sessions=st.integers(1, 12),
    each_kw=st.floats(5, 50),
    remaining_kwh=st.floats(1, 400),
    scarcity=st.floats(0.3, 1),
    kwh=st.floats(1, 80),
)
def test_it_is_near_where_all_are_held_back(
    sessions: int, each_kw: float, remaining_kwh: float, scarcity: float, kwh: float
) -> None:
    limit_kw = scarcity * sessions * each_kw
    demand = Demand(kwh)
    gauges = supply(sessions, sessions * each_kw, remaining_kwh, limit_kw=limit_kw)
    predicted = predict(gauges, demand.stages(50)).charging_s
    substation = real_substation(sessions + 1, sessions, each_kw, remaining_kwh, limit_kw)
    _, charging_s = real_s(substation, demand)
    assert predicted == pytest.approx(charging_s, rel=0.25)


@given(
    sessions=st.integers(0, 30),
    committed_kw=POWERS,
    remaining_kwh=st.floats(0, 1000),
    limit_kw=st.floats(0, 500),
    kwh=st.floats(0.01, 100),
    after_ends=st.integers(0, 8),
)
def test_it_always_comes_to_an_end_and_never_beats_a_vehicle_alone(
    sessions: int,
    committed_kw: float,
    remaining_kwh: float,
    limit_kw: float,
    kwh: float,
    after_ends: int,
) -> None:
    gauges = supply(sessions, committed_kw, remaining_kwh, limit_kw=limit_kw)
    stages = Demand(kwh, 40, battery_kwh=200, soc=0.4).stages(50)
    predicted = predict(gauges, stages, after_ends=after_ends)
    assert predicted.start_s >= 0
    assert predicted.charging_s >= alone_s(gauges, stages) * (1 - 1e-9)
    assert predicted.finish_s >= predicted.charging_s


@pytest.mark.parametrize(
    ("sessions", "after_ends"), [(10**6 - 1, 0), (10**6, 1), (10**6, 10**6), (1, 10**6)]
)
def test_a_substation_that_tells_of_a_million_sessions_costs_next_to_nothing(
    sessions: int, after_ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Mock(wraps=prediction.hours_of)
    monkeypatch.setattr(prediction, "hours_of", steps)
    gauges = supply(sessions, 50.0 * sessions, 1e7, limit_kw=1e6)
    stages = Demand(500, 40).stages(50)

    predicted = predict(gauges, stages, after_ends=after_ends)

    assert steps.call_count < 1000
    assert predicted.charging_s >= alone_s(gauges, stages) * (1 - 1e-9)
    assert isinf(predicted.finish_s) == (after_ends == 10**6)
