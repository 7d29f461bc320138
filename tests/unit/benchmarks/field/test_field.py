"""The comparison with the field: replays, and its checked-in results."""

from pathlib import Path

import pytest

from benchmarks.field import __main__ as command
from benchmarks.field.replay import charge_all, energies, two_plugs
from benchmarks.field.report import differences
from benchmarks.field.sessions import (
    CALTECH,
    EPFL,
    RecordedSession,
    read_caltech,
    read_epfl,
)
from substation_service.substation import Demand, Sharing, Substation

HOUR = 3600.0


def recorded(
    name: str, arrival: float, departure: float, kwh: float, max_power_kw: float | None = None
) -> RecordedSession:
    return RecordedSession(name, "1", arrival, departure, Demand(kwh, max_power_kw))


def data(name: str) -> Path:
    file = command.DATA / name
    if not file.exists():
        pytest.skip(f"the real sessions are not here: {name}")
    return file


def test_two_plugs_share_their_power_and_a_third_vehicle_waits() -> None:
    sessions = [
        recorded("a", 0, HOUR, 172.5),
        recorded("b", HOUR / 2, 2 * HOUR, 172.5 / 2, max_power_kw=40),
        recorded("c", HOUR / 2, 2 * HOUR, 172.5),
    ]

    found = charge_all(two_plugs(), sessions, lambda one: one.demand)

    by_name = {one.recorded.session_id: one for one in found}
    left = 172.5 / 2 / (172.5 - 40)  # hours that the first needs for its second half
    assert by_name["a"].charging_s == pytest.approx((0.5 + left) * HOUR)
    assert by_name["a"].error == pytest.approx(left - 0.5)
    assert by_name["c"].waited_s == pytest.approx(left * HOUR)
    assert by_name["b"].charging_s == pytest.approx(172.5 / 2 / 40 * HOUR)


def test_who_leaves_at_the_time_another_comes_makes_room_and_takes_what_it_has() -> None:
    sessions = [
        recorded("a", 0, HOUR, 100),
        recorded("b", HOUR, 2 * HOUR, 20),
        recorded("c", HOUR, 1.5 * HOUR, 100),
    ]

    got = energies(Substation(2, 50, 60, Sharing.EQUAL), sessions)

    assert got == {"a": 50, "b": pytest.approx(20), "c": pytest.approx(15)}


@pytest.mark.parametrize("file", command.PICTURES, ids=lambda file: file.name)
def test_the_pictures_are_what_the_model_does(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == command.PICTURES[file]()


def test_the_real_sessions_are_read_with_what_they_tell() -> None:
    first = read_epfl(data(EPFL))[0]
    assert first.departure - first.arrival == 12 * 60
    assert first.demand.kwh == pytest.approx(5.16, abs=0.01)
    assert first.demand.max_power_kw == pytest.approx(80.238)
    assert first.demand.soc == pytest.approx(0.83, abs=0.001)
    assert len(read_caltech(data(CALTECH))) == 954


def test_the_report_that_is_checked_in_is_what_the_model_does() -> None:
    folder = data(EPFL).parent
    data(CALTECH)

    assert command.REPORT.read_text(encoding="utf-8") == command.written(folder)


# It stayed for 15 minutes. In acnportal a vehicle that becomes full within a period (there
# of 5 minutes) draws its mean all along it and leaves the rest to others from its beginning, here
# only from its own end; in periods of a minute the two are within 0.05% for it.
SHORT_STAY = "2_39_79_377_2019-03-15 02:25:25.813267"


def test_each_session_gets_what_it_gets_in_acnportal_within_a_hundredth() -> None:
    sessions = read_caltech(data(CALTECH))

    for limit_kw, theirs in command.read_theirs().items():
        assert len(theirs) == len(sessions)
        off = differences(sessions, limit_kw, theirs)
        assert abs(off.pop(SHORT_STAY)) < 0.015
        assert max(map(abs, off.values())) <= 0.01
