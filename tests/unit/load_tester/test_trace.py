"""Reading real sessions, and compressing them in time."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from load_tester.replay import DEFAULT_KWH_PER_S, plan_replay
from load_tester.trace import Trace, TraceSession, read_trace
from load_tester.trace_columns import TraceError

Write = Callable[..., Path]
DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str, encoding: str = "utf-8") -> Path:
        file = tmp_path / "trace.csv"
        file.write_bytes(text.encode(encoding))
        return file

    return make


@pytest.mark.parametrize(
    ("name", "columns", "sessions", "first"),
    [
        ("epfl_desl_sessions.csv", ("arrival", "energy_wh"), 1878, 5.15965),
        ("caltech_2019-03_sessions.csv", ("arrival_utc", "requested_energy_kwh"), 954, 4.216),
    ],
)
def test_the_real_files_are_read_as_they_are(
    name: str, columns: tuple[str, str], sessions: int, first: float
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"the real sessions are not here: {name}")
    trace = read_trace(DATA / name)
    assert (trace.arrival_column, trace.energy_column) == columns
    assert len(trace.sessions) == sessions
    assert trace.sessions[0].kwh == pytest.approx(first)
    assert not any("left out" in note for note in trace.notes)


def test_columns_are_found_by_name_in_any_order_and_case(write: Write) -> None:
    trace = read_trace(write("plug,Energy_Wh,ARRIVAL\nA,12000,2024-05-01T10:00:30\n"))
    assert trace.sessions[0].kwh == 12.0


def test_the_end_of_a_columns_name_is_its_unit(write: Write) -> None:
    file = write("arrival,drawn_Wh,drawn_kWh\n0,7000,7\n")
    assert read_trace(file, {"energy": "drawn_Wh"}).sessions[0].kwh == 7.0
    assert read_trace(file, {"energy": "drawn_kWh"}).sessions[0].kwh == 7.0


def test_arrivals_may_be_seconds_dates_or_dates_with_a_zone(write: Write) -> None:
    trace = read_trace(
        write("arrival;kwh\n2024-05-01T12:00:00+02:00;1\n2024-05-01 10:00:05;2\n1714557610;3\n")
    )
    assert [session.arrival - trace.sessions[0].arrival for session in trace.sessions] == [0, 5, 10]


@pytest.mark.parametrize(
    ("column", "cells", "arrivals"),
    [
        ("arrival", ("20190301", "20190302"), [0, 86400]),
        ("arrival", ("20190301", "2019-03-02T00:00:10"), [0, 86410]),
        ("arrival", ("201903010930", "201903010931"), [0, 60]),
        ("arrival", ("20190301093000", "20190301093005"), [0, 5]),
        # Not all of them pass for dates, or the column's name says seconds: numbers.
        ("arrival", ("20190301", "20190399"), [0, 98]),
        ("arrival", ("20190301", "20190301.5"), [0, 0.5]),
        ("due_s", ("20190301", "20190302"), [0, 1]),
    ],
)
def test_numbers_that_all_pass_for_dates_are_dates(
    write: Write, column: str, cells: tuple[str, str], arrivals: list[float]
) -> None:
    trace = read_trace(write("\n".join([f"{column},kwh", *(f"{cell},1" for cell in cells)])))
    assert [one.arrival - trace.sessions[0].arrival for one in trace.sessions] == arrivals


@pytest.mark.parametrize("text", ["1_5", "٣", "0x10", "1e9999", "nan", "inf", "1 5", "1.234,5"])
def test_text_that_is_not_a_number_is_none(write: Write, text: str) -> None:
    (note,) = read_trace(write(f"arrival;kwh\n{text};1\n0;{text}\n1;1\n")).notes
    assert note.startswith("2 rows left out; the first: line 2: arrival ")


@pytest.mark.parametrize(
    ("column", "kwh"),
    [
        ("Energy (Wh)", 0.5),
        ("Energy [Wh]", 0.5),
        ("energy Wh", 0.5),
        ("EnergyWh", 0.5),
        ("Energy (kWh)", 500),
        ("energykWh", 500),
        ("Energy (MWh)", 500_000),
        ("Energy", 500),
    ],
)
def test_a_columns_unit_is_the_end_of_its_name_however_it_is_spelled(
    write: Write, column: str, kwh: float
) -> None:
    file = write(f"arrival,{column}\n0,500\n")
    assert read_trace(file, {"energy": column}).sessions[0].kwh == kwh


def test_columns_are_recognised_however_they_are_spelled(write: Write) -> None:
    trace = read_trace(write("Connection Time,Energy (Wh)\n0,500\n"))
    assert (trace.arrival_column, trace.energy_column) == ("Connection Time", "Energy (Wh)")
    assert trace.sessions[0].kwh == 0.5


def test_a_decimal_comma_is_read_where_it_can_be_nothing_else_and_noted(write: Write) -> None:
    trace = read_trace(write("arrival;kwh\n0,5;12,25\n1;1,234\n"))
    assert trace.sessions == (TraceSession(0.5, 12.25), TraceSession(1.0, 1.234))
    assert trace.notes == ("read with a decimal comma, such as '0,5'",)
    assert read_trace(write('arrival,kwh\n0,"12,5"\n')).sessions[0].kwh == 12.5


def test_a_comma_that_may_be_one_between_thousands_is_refused_by_name(write: Write) -> None:
    (note,) = read_trace(write('arrival,kwh\n0,"1,234"\n1,5\n')).notes
    assert "line 2: energy '1,234' has a comma that may separate decimals or thousands" in note


def test_a_decimal_comma_that_makes_another_cell_is_not_cut_off(write: Write) -> None:
    trace = read_trace(write("arrival,kwh\n0,12,5\n1,5\n2,5,\n3,5, ,\n"))
    assert [one.kwh for one in trace.sessions] == [5, 5, 5]
    assert "line 2: the row has 3 cells where the header has 2" in trace.notes[0]


def test_a_quote_that_is_never_closed_is_reported_by_its_line(write: Write) -> None:
    with pytest.raises(TraceError, match=r"line 3: a quote is opened and never closed"):
        read_trace(write('arrival,kwh,note\n0,5,x\n1,5,"in\n2,5,x\n3,5,x\n'))


def test_a_quote_that_the_next_one_closes_is_reported_by_its_lines(write: Write) -> None:
    with pytest.raises(TraceError, match=r"lines 2 to 4: is not CSV .*a quote that is not closed"):
        read_trace(write('arrival,kwh,note\n0,5,"in\n1,5,x\n2,5,"out"\n'))


def test_rows_that_a_quote_takes_in_are_noted(write: Write) -> None:
    trace = read_trace(write('arrival,kwh,note\n0,5,"in\n1,5,"\n2,5,x\n'))
    assert len(trace.sessions) == 2
    assert trace.notes == ("1 row over several lines, by quotes; the first: lines 2 to 3",)


def test_what_is_quoted_back_is_short(write: Write) -> None:
    long = "x" * 5_000
    wide = ",".join(f"column{number}" for number in range(2_000))
    for text, column in [
        (f"arrival,kwh\n{long},5\n", None),
        (f"arrival,kwh\n0,{'9' * 5_000}\n", None),
        (f"arrival,{long}\n0,5\n", None),
        (f"{wide}\n0\n", None),
        (f"{wide}\n0\n", long),
    ]:
        file = write(text)
        with pytest.raises(TraceError) as raised:
            read_trace(file, {"arrival": column})
        assert len(str(raised.value).replace(str(file), "")) < 400


def test_a_file_from_a_spreadsheet_is_read(write: Write) -> None:
    trace = read_trace(write("\ufeffarrival\tkwh\r\n5\t1\r\n\r\n2\t2\r\n"))
    assert trace.sessions == (TraceSession(2.0, 2.0), TraceSession(5.0, 1.0))


def test_unusable_rows_are_left_out_and_counted(write: Write) -> None:
    rows = ["1,5", "x,5", "2,0", "3,-1", "4,nan", "5,much", "6", "inf,5", "7,8"]
    trace = read_trace(write("\n".join(["arrival,kwh", *rows])))
    assert [session.kwh for session in trace.sessions] == [5.0, 8.0]
    (note,) = trace.notes
    assert note.startswith("7 rows left out; the first: line 3: arrival 'x' is neither")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("when,kwh\n1,2\n", "no column of arrival recognised among when, kwh; name one arrival or"),
        ("arrival,much\n1,2\n", "no column of energy recognised"),
        ("arrival,kwh\n1,0\n", "no row can be replayed .1 left out; the first: line 2: energy '0'"),
        ("arrival,kwh\n", "no row can be replayed .0 left out"),
    ],
)
def test_a_file_without_sessions_says_what_is_wrong(write: Write, text: str, fault: str) -> None:
    with pytest.raises(TraceError, match=fault):
        read_trace(write(text))


def test_a_column_that_is_not_there_is_named_with_those_that_are(write: Write) -> None:
    with pytest.raises(TraceError, match=r"--energy-column x: .* has no such column, only arrival"):
        read_trace(write("arrival,kwh\n1,2\n"), {"energy": "x"})


def test_a_file_that_is_not_text_says_so(write: Write, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is not UTF-8"):
        read_trace(write("arrival,kwh,ü\n", "latin-1"))
    with pytest.raises(TraceError, match=r"none\.csv: no such file"):
        read_trace(tmp_path / "none.csv")


def made(*sessions: tuple[float, float]) -> Trace:
    return Trace("made.csv", tuple(TraceSession(*one) for one in sessions), "arrival", "kwh")


def test_with_a_speed_each_gap_stays_as_it_was() -> None:
    plan = plan_replay(made((100, 1), (160, 2), (100_000, 3)), speed=60)
    assert [vehicle.due for vehicle in plan.vehicles] == [0, 1, 1665]
    assert [vehicle.kwh for vehicle in plan.vehicles] == [1, 2, 3]


def test_without_a_speed_idle_gaps_are_cut_and_the_plan_says_so() -> None:
    trace = made(*[(60.0 * index, 10.0) for index in range(10)], (500_000.0, 10.0))
    plan = plan_replay(trace, duration=13)
    # Nine gaps of a minute, and one cut to four: thirteen in all.
    assert [vehicle.due for vehicle in plan.vehicles] == [*range(10), 13]
    assert plan.notes[0].startswith("1 idle gap over 240.0 s shortened")


def test_without_speed_and_duration_the_replay_asks_for_what_the_default_grid_can_give() -> None:
    trace = made(*[(60.0 * index, 30.0) for index in range(101)])
    plan = plan_replay(trace)
    assert plan.total_kwh / plan.duration == pytest.approx(DEFAULT_KWH_PER_S)


def test_vehicles_that_came_at_one_moment_are_due_at_one_moment() -> None:
    assert [v.due for v in plan_replay(made((5, 1), (5, 2), (5, 3))).vehicles] == [0, 0, 0]


def test_more_vehicles_than_the_trace_has_are_refused() -> None:
    with pytest.raises(TraceError, match=r"--vehicles 3: made\.csv has only 2 usable sessions"):
        plan_replay(made((0, 1), (1, 1)), vehicles=3)


def simulated_waits(
    due_and_kwh: list[tuple[float, float]], points: int, kwh_s: float
) -> list[float]:
    """Serve vehicles in order at the first point to free; return how long each waited."""
    free = [0.0] * points
    waits = []
    for due, kwh in due_and_kwh:
        point = min(range(points), key=free.__getitem__)
        start = max(due, free[point])
        waits.append(start - due)
        free[point] = start + kwh / kwh_s
    return waits


@pytest.mark.parametrize("name", ["epfl_desl_sessions.csv", "caltech_2019-03_sessions.csv"])
@pytest.mark.parametrize("vehicles", [100, 300, 900])
def test_at_the_chosen_speed_nobody_waits_long_for_a_point_of_the_default_grid(
    name: str, vehicles: int
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"the real sessions are not here: {name}")
    plan = plan_replay(read_trace(DATA / name), vehicles=vehicles)
    assert all(a.due <= b.due for a, b in pairwise(plan.vehicles))
    demand = [(vehicle.due, vehicle.kwh) for vehicle in plan.vehicles]
    waits = simulated_waits(demand, points=24, kwh_s=5.0)
    assert 0.1 < max(waits) < 10  # it queues, and far from the 60 s that the grid lets it


def test_arrivals_in_milliseconds_are_refused_with_a_remedy() -> None:
    sessions = (TraceSession(1.714557610e12, 5.0), TraceSession(1.714557611e12, 5.0))
    trace = Trace("sessions.csv", sessions, "start", "kwh")
    with pytest.raises(TraceError, match=r"sessions\.csv: the arrivals in start look like milli"):
        plan_replay(trace)
