"""Different vehicles: drawn, read from a trace, sent, and reported."""

import csv
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from load_tester.command_line import parse_options
from load_tester.demand import MIXES, FixedDemand, PowerDemand
from load_tester.power import Point, alone_s, known_points, report_power, slowdown
from load_tester.reconciliation.counters import SubstationCounters
from load_tester.replay import plan_replay
from load_tester.report.csv_export import write_csv
from load_tester.response import HttpResponse, apply_response
from load_tester.scenarios import make_plan
from load_tester.trace import read_trace
from load_tester.trace_columns import TraceError
from load_tester.trace_properties import Properties
from load_tester.vehicle import Need, Outcome, Vehicle
from tests.unit.load_tester.builders import charge

DATA = Path(__file__).parents[4] / "shared" / "data"
HOURLY = 3600.0  # a time scale: an hour of charging is a second


def written(folder: Path, text: str) -> Path:
    file = folder / "trace.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_the_mix_draws_fits_into_the_battery_as_it_is_sent() -> None:
    rng = random.Random(1)
    for _ in range(5000):
        need = MIXES["fast"].draw(rng)
        assert need.battery_kwh is not None
        assert need.soc is not None
        # As the grid checks it: no rounding may have made it too much.
        assert 0 < need.kwh <= (1 - need.soc) * need.battery_kwh + 1e-9 * need.battery_kwh
        assert need.max_power_kw in (11, 50, 100, 150, 250)


def test_the_mix_is_reported_in_the_vehicles_requests() -> None:
    plan = make_plan(parse_options(["--mix", "fast", "--vehicles", "200"]))
    for vehicle in plan.vehicles:
        body = json.loads(vehicle.body("EV-1"))
        assert body == {
            "vehicle_id": "EV-1",
            "kwh": vehicle.kwh,
            "max_power_kw": vehicle.max_power_kw,
            "battery_kwh": vehicle.battery_kwh,
            "soc": vehicle.soc,
        }
    assert "fast-charging" in plan.summary
    again = make_plan(parse_options(["--mix", "fast", "--vehicles", "200"]))
    assert again.vehicles == plan.vehicles


@pytest.mark.parametrize("options", [[], ["--mix", "none"], ["--kwh", "10"]])
def test_without_a_mix_a_vehicle_sends_only_its_energy(options: list[str]) -> None:
    plan = make_plan(parse_options(options))
    assert {*json.loads(plan.vehicles[0].body("EV-1"))} == {"vehicle_id", "kwh"}


def test_maximum_powers_can_be_chosen_by_weight_for_any_energy() -> None:
    plan = make_plan(parse_options(["--kwh", "10", "--max-power-kw", "11:3,50", "--vehicles=4000"]))
    found = Counter(vehicle.max_power_kw for vehicle in plan.vehicles)
    assert {*found} == {11, 50}
    assert found[11] == pytest.approx(3000, rel=0.05)
    mixed = make_plan(parse_options(["--mix", "fast", "--max-power-kw", "22"]))
    assert {vehicle.max_power_kw for vehicle in mixed.vehicles} == {22}
    assert all(vehicle.battery_kwh for vehicle in mixed.vehicles)
    assert PowerDemand(FixedDemand(3), ((22.0, 1.0),)).draw(random.Random(1)) == Need(3, 22)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mix", "fast", "--kwh", "10"], "--kwh: the mix fast draws energies, too"),
        (
            ["--mix", "fast", "--trace", "x.csv"],
            "--mix fast: the trace has properties of its vehicles",
        ),
        (["--max-power-kw", "11:0"], "'0' is not a weight"),
        (["--max-power-kw", "11,fast"], "'fast' is not a power in kW"),
        (["--max-power-kw", "0.5"], "'0.5' is not a power in kW: give a number from 1 to 10000"),
        (["--max-power-kw", "11", "--trace", "x.csv"], "--max-power-kw: the scenario replay"),
        (["--soc-column", "x"], "--soc-column: the scenario steady does not accept it"),
    ],
)
def test_options_that_do_not_go_together_say_why(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(options)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_trace_has_properties_of_its_vehicles_in_any_unit(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "arrival,kwh,PMax (W),energy_capacity_wh,soc_arrival\n0,10,50000,60000,50\n1,6,,60000,90\n",
    )
    trace = read_trace(file, {"power": "PMax (W)"})
    assert [session.properties for session in trace.sessions] == [
        Properties(50, 60, 0.5),
        Properties(None, 60, 0.9),
    ]
    assert trace.notes == ("1 row without a usable power, which is then not sent",)
    assert trace.sessions[1].need == Need(6, None, 60, 0.9)
    assert trace.without_properties().sessions[0].need == Need(10)


def test_states_of_charge_up_to_1_are_shares(tmp_path: Path) -> None:
    file = written(
        tmp_path, "arrival,kwh,max_power_kw,battery_kwh,soc\n0,3,11,60,0.5\n1,1,7,60,1\n"
    )
    assert [session.properties for session in read_trace(file).sessions] == [
        Properties(11, 60, 0.5),
        Properties(7),  # full, so its 1 kWh cannot fit
    ]


@pytest.mark.parametrize(
    ("row", "properties"),
    [
        ("0,10,0.2,60,0.5", Properties(None, 60, 0.5)),
        ("0,10,nan,60,0.5", Properties(None, 60, 0.5)),
        ("0,10,-11,60,0.5", Properties(None, 60, 0.5)),
        ("0,10,11,60,", Properties(11)),
        ("0,10,11,0,0.5", Properties(11)),
        ("0,10,11,,0.5", Properties(11)),
        ("0,31,11,60,0.5", Properties(11)),
        ("0,10", Properties()),
    ],
)
def test_what_cannot_be_used_is_not_reported_and_the_row_stays(
    tmp_path: Path, row: str, properties: Properties
) -> None:
    file = written(tmp_path, f"arrival,kwh,max_power_kw,battery_kwh,soc\n{row}\n")
    (session,) = read_trace(file).sessions
    assert session.properties == properties


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, "arrival,kwh\n0,10\n")
    with pytest.raises(TraceError, match=r"--battery-column size: .* has no such column, only arr"):
        read_trace(file, {"battery": "size"})


def test_the_real_fast_chargers_sessions_are_replayed_with_their_vehicles() -> None:
    file = DATA / "epfl_desl_sessions.csv"
    if not file.exists():
        pytest.skip(f"the real sessions are not here: {file.name}")
    plan = plan_replay(read_trace(file))
    assert plan.notes[-1] == (
        "read the columns arrival, energy_wh, pmax_w, energy_capacity_wh and soc_arrival"
    )
    first = plan.vehicles[0]
    assert (first.kwh, first.max_power_kw) == (5.16, 80.238)
    assert (first.battery_kwh, first.soc) == pytest.approx((81.677, 0.83), abs=0.001)
    assert all(one.max_power_kw and 13 < one.max_power_kw < 175 for one in plan.vehicles)
    reported = [one for one in plan.vehicles if one.battery_kwh is not None and one.soc is not None]
    assert len(reported) > 1500
    assert all(
        one.kwh <= (1.000000001 - (one.soc or 0)) * (one.battery_kwh or 0) for one in reported
    )


def test_vehicles_that_take_less_than_a_point_gives_are_replayed_slower(tmp_path: Path) -> None:
    rows = "".join(f"{at},10,{{kw}}\n" for at in range(101))
    slow, fast = (
        plan_replay(
            read_trace(written(tmp_path, f"arrival,kwh,max_power_kw\n{rows.format(kw=kw)}"))
        )
        for kw in (10, 90)
    )
    assert fast.duration == pytest.approx(10.1)  # 1010 kWh at 100 a second
    assert slow.duration == pytest.approx(50.5)


def vehicle(kwh: float, *reported: float) -> Vehicle:
    return Vehicle(1, 0.0, kwh, *reported)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (vehicle(50), 1.0),
        (vehicle(11, 11), 1.0),
        (vehicle(50, 250), 1.0),
        (vehicle(30, 50, 100, 0.5), 0.6),  # ends where the taper begins
    ],
)
def test_a_vehicle_alone_takes_what_point_and_vehicle_allow(asked: Vehicle, seconds: float) -> None:
    assert alone_s(asked, Point(50, HOURLY)) == pytest.approx(seconds)
    assert alone_s(asked, Point(50, HOURLY / 2)) == pytest.approx(2 * seconds)


@pytest.mark.parametrize(
    "asked",
    [
        vehicle(20, 50, 60, 0.6),
        vehicle(10, 200, 60, 0.8),  # the point holds it back into its taper
        vehicle(6, 50, 60, 0.9),
        vehicle(60, 30, 60, 0.0),
    ],
)
def test_near_full_it_takes_less_and_less_power(asked: Vehicle) -> None:
    assert asked.max_power_kw is not None
    assert asked.battery_kwh is not None
    assert asked.soc is not None
    steps = 20_000
    hours = 0.0
    for step in range(steps):
        soc = asked.soc + (step + 0.5) / steps * asked.kwh / asked.battery_kwh
        share = 1.0 if soc <= 0.8 else 1 - 0.9 * (soc - 0.8) / 0.2
        hours += asked.kwh / steps / min(50.0, share * asked.max_power_kw)
    assert alone_s(asked, Point(50, HOURLY)) == pytest.approx(hours, rel=1e-4)


def test_the_fastest_point_comes_from_the_pages_or_the_options() -> None:
    hub, motorway = Point(50, 360), Point(350, 360)
    assert known_points([hub, motorway], None, None) == [motorway]
    assert known_points([hub, Point(350, 36)], None, None) == [Point(350, 36), hub]
    assert known_points([hub, motorway], 100, None) == [Point(100, 360)]
    assert known_points([hub, motorway], None, 60) == [Point(350, 60)]
    assert known_points([], 100, 60) == [Point(100, 60)]
    assert known_points([], 100, None) == []
    assert known_points([], None, 60) == []


def test_a_substations_page_describes_its_points() -> None:
    page = 'substation_sessions_total{outcome="charged"} 1\nsubstation_point_power_kw 150\n'
    assert SubstationCounters.from_page(page).point == Point(150, 1.0)
    assert SubstationCounters.from_page(f"{page}substation_time_scale 360\n").point == Point(
        150, 360
    )
    assert SubstationCounters.from_page(page.replace("150", "NaN")).point is None
    assert SubstationCounters.from_page(page.partition("substation_point")[0]).point is None


def test_slowdown_is_the_time_to_charge_over_that_alone() -> None:
    one = charge(took=3.0, kwh=50.0)
    assert slowdown(one, [Point(50, HOURLY), Point(100, HOURLY)]) == pytest.approx(6.0)
    assert slowdown(one, []) is None
    assert slowdown(charge(outcome=Outcome.REFUSED), [Point(50, HOURLY)]) is None
    answer = {"kwh": 50.0, "mean_power_kw": 16.7, "peak_power_kw": 50.0, "charging_s": 3.0}
    apply_response(one, HttpResponse(200, {}, json.dumps(answer).encode()))
    found = report_power([one], [Point(50, HOURLY)])
    assert found is not None
    assert found.slowdown is not None
    assert found.mean_power_kw is not None
    assert found.peak_power_kw is not None
    assert found.kwh == 50
    assert found.slowdown.mean == pytest.approx(3.0)
    assert (found.mean_power_kw.p50, found.peak_power_kw.p50) == (16.7, 50)


def test_a_row_a_vehicle_keeps_what_it_reported(tmp_path: Path) -> None:
    reported = charge(kwh=6.0)
    reported.vehicle = Vehicle(1, 0.0, 6.0, 11.0, 60.0, 0.9)
    file = tmp_path / "each.csv"
    with file.open("w", newline="") as out:
        write_csv([reported], [Point(11, HOURLY)], out)
    (row,) = csv.DictReader(file.open())
    assert float(row["slowdown"]) == pytest.approx(
        2.0 / alone_s(reported.vehicle, Point(11, HOURLY)), 1e-4
    )
    assert read_trace(file).sessions[0].need == Need(6, 11, 60, 0.9)
