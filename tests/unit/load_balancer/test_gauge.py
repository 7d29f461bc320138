from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from load_balancer.gauge import UnreadableGauge, read_gauge
from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading

NAMES = SubstationProfile()


def page(load: object = 3, capacity: object = 8, *more: str) -> str:
    return "\n".join(
        [
            "# HELP substation_current_load Vehicles that charge now",
            "# TYPE substation_current_load gauge",
            f"substation_current_load {load}",
            "# TYPE substation_capacity gauge",
            f"substation_capacity {capacity}",
            *more,
            "",
        ]
    )


def test_load_and_capacity_are_read() -> None:
    assert read_gauge(page(3.0, 8.0), NAMES) == Reading(load=3, capacity=8)


def test_a_page_that_prometheus_client_wrote_is_read() -> None:
    registry = CollectorRegistry()
    Gauge("substation_current_load", "Vehicles", registry=registry).set(5)
    Gauge("substation_capacity", "Points", registry=registry).set(12)
    Gauge("substation_power_kw", "Power", registry=registry).set(37.5)
    Gauge("substation_power_limit_kw", "Limit", registry=registry).set(600)
    assert read_gauge(generate_latest(registry).decode(), NAMES) == Reading(
        load=5, capacity=12, power_kw=37.5, power_limit_kw=600
    )


def test_what_a_prediction_takes_is_read() -> None:
    reading = read_gauge(
        page(
            5,
            12,
            "substation_point_power_kw 50",
            "substation_committed_power_kw 212.5",
            "substation_remaining_energy_kwh 71.25",
            "substation_time_scale 360",
        ),
        NAMES,
    )
    assert (reading.point_power_kw, reading.committed_power_kw) == (50, 212.5)
    assert (reading.remaining_energy_kwh, reading.time_scale) == (71.25, 360)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_what_cannot_be_is_as_good_as_not_published(value: str) -> None:
    reading = read_gauge(
        page(
            5,
            12,
            f"substation_point_power_kw {value}",
            f"substation_committed_power_kw {value}",
            f"substation_remaining_energy_kwh {value}",
            f"substation_time_scale {value}",
        ),
        NAMES,
    )
    assert reading == Reading(5, 12)
    # Nor can a point have no power, nor a clock stand.
    stopped = page(5, 12, "substation_point_power_kw 0", "substation_time_scale 0")
    assert read_gauge(stopped, NAMES) == Reading(5, 12)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("1e12", 1e12),
        ("1.1e12", None),
        ("1e-9", 1e-9),
        ("0.9e-9", 0),
        ("5e-324", 0),
        ("0", 0),
        ("-1", None),
    ],
)
def test_an_amount_beyond_measure_is_not_reported_and_dust_is_nothing(
    value: str, amount: float | None
) -> None:
    names = (
        "substation_power_limit_kw",
        "substation_point_power_kw",
        "substation_committed_power_kw",
        "substation_remaining_energy_kwh",
        "substation_time_scale",
    )
    reading = read_gauge(page(5, 12, *(f"{name} {value}" for name in names)), NAMES)
    assert reading.power_limit_kw == amount
    assert reading.point_power_kw == (amount or None)
    assert (reading.committed_power_kw, reading.remaining_energy_kwh) == (amount, amount)
    assert reading.time_scale == (amount or 1)


def test_a_gauge_of_several_series_is_their_sum() -> None:
    text = (
        'substation_current_load{point="1"} 1\n'
        'substation_current_load{point="2"} 0\n'
        'substation_current_load{point="3"} 1\n'
        "substation_capacity 3\n"
    )
    assert read_gauge(text, NAMES).load == 2


def test_other_names_can_be_given() -> None:
    names = SubstationProfile(gauge_name="ev_charging_load", capacity_gauge_name="ev_points")
    assert read_gauge("ev_charging_load 2\nev_points 6\n", names) == Reading(2, 6)


def test_a_name_with_the_same_prefix_is_another_gauge() -> None:
    text = page() + "substation_current_load_kw 700\nsubstation_capacity_kw 400\n"
    assert read_gauge(text, NAMES) == Reading(3, 8)


def test_a_substation_that_publishes_no_capacity_has_the_default_one() -> None:
    names = SubstationProfile(default_capacity=6)
    assert read_gauge("substation_current_load 2\n", names) == Reading(2, 6)


def test_a_capacity_that_is_published_comes_before_the_default() -> None:
    assert read_gauge(page(1, 9), SubstationProfile(default_capacity=6)).capacity == 9


def test_blanks_and_tabs_may_separate_the_parts_of_a_line() -> None:
    text = '  substation_current_load\t4\nsubstation_capacity {substation="x y"}\t 8\r\n'
    assert read_gauge(text, NAMES) == Reading(4, 8)


def test_a_timestamp_is_not_part_of_the_value() -> None:
    text = "substation_current_load 4 1763618400000\nsubstation_capacity 8 1763618400000\n"
    assert read_gauge(text, NAMES) == Reading(4, 8)


def test_garbage_in_lines_that_do_not_matter_is_not_looked_at() -> None:
    assert read_gauge(page(3, 8, "some_other{ = ???", "\u2028\x00"), NAMES) == Reading(3, 8)


@pytest.mark.parametrize("draining", ["1", "1.0", '{worker="1"} 1\nsubstation_draining 1'])
def test_a_substation_says_that_it_drains(draining: str) -> None:
    line = f"substation_draining{'' if draining.startswith('{') else ' '}{draining}"
    assert read_gauge(page(3, 8, line), NAMES).draining


@pytest.mark.parametrize("line", ["substation_draining 0", "substation_draining NaN"])
def test_a_substation_that_does_not_say_so_does_not_drain(line: str) -> None:
    assert not read_gauge(page(3, 8, line), NAMES).draining


def test_power_that_is_not_a_number_is_omitted() -> None:
    reading = read_gauge(page(3, 8, "substation_power_kw NaN"), NAMES)
    assert reading.power_kw is None


@pytest.mark.parametrize(
    "value", ["NaN", "-1", "+Inf", "-Inf", "1e999", "2.5", "1" + "0" * 400, "-1" + "0" * 400]
)
@pytest.mark.parametrize("name", ["substation_current_load", "substation_capacity"])
def test_a_gauge_that_counts_no_vehicles_makes_the_page_unreadable(name: str, value: str) -> None:
    text = page(value, 8) if name == NAMES.gauge_name else page(3, value)
    with pytest.raises(UnreadableGauge, match=f"{name} is .*, which is not a number of vehicles"):
        read_gauge(text, NAMES)


@pytest.mark.parametrize("value", ["1000001", "1e20", "1.7e308"])
@pytest.mark.parametrize("name", ["substation_current_load", "substation_capacity"])
def test_more_than_any_substation_holds_makes_the_page_unreadable(name: str, value: str) -> None:
    text = f"{page()}{name} {value}\n".replace(f"{name} 3\n", "").replace(f"{name} 8\n", "")
    with pytest.raises(
        UnreadableGauge, match=f"{name} is .*; no substation has more than 1,000,000"
    ):
        read_gauge(text, NAMES)


def test_a_reason_does_not_grow_with_the_page() -> None:
    with pytest.raises(UnreadableGauge) as raised:
        read_gauge(f"substation_current_load {'x' * 900_000}\n", NAMES)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "substation_current_load"),
        ("substation_capacity 8\n", "substation_current_load"),
        ("substation_current_load 3\n", "substation_capacity"),
        ("<html>It works!</html>", "substation_current_load"),
        ('{"substation_current_load": 3}', "substation_current_load"),
        ("# substation_current_load 3\nsubstation_capacity 8\n", "substation_current_load"),
    ],
)
def test_a_gauge_that_is_missing_makes_the_page_unreadable(text: str, missing: str) -> None:
    with pytest.raises(UnreadableGauge, match=f"its page has no {missing}"):
        read_gauge(text, NAMES)


@pytest.mark.parametrize(
    "line",
    [
        "substation_current_load",
        "substation_current_load ",
        "substation_current_load three",
        'substation_current_load{point="1" 3',
        "substation_current_load{} {} 3",
    ],
)
def test_a_garbled_line_makes_the_page_unreadable(line: str) -> None:
    with pytest.raises(UnreadableGauge):
        read_gauge(f"{line}\nsubstation_capacity 8\n", NAMES)


IN_KW = SubstationProfile(
    gauge_name="power_kw", capacity_gauge_name="limit_kw", load_unit="kW", vehicle_kw=22
)


@pytest.mark.parametrize(
    ("power_kw", "limit_kw", "load", "capacity"),
    [
        (0, 88, 0, 4),
        (44, 88, 2, 4),
        (44.5, 88, 2, 4),  # the noise of a meter
        (50, 88, 3, 4),  # what others draw is there, if only in part
        (66, 87.9, 3, 3),  # a limit holds whole vehicles
        (66, 67, 3, 3),
        (0, 21, 0, 0),
        (0.1 + 0.2, 1000, 0, 45),
    ],
)
def test_a_load_in_kilowatts_is_reported_in_vehicles(
    power_kw: float, limit_kw: float, load: int, capacity: int
) -> None:
    reading = read_gauge(f"power_kw {power_kw}\nlimit_kw {limit_kw}\n", IN_KW)
    assert (reading.load, reading.capacity) == (load, capacity)
    assert (reading.power_kw, reading.power_limit_kw) == (power_kw, limit_kw)


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf", "1e9"])
def test_a_power_beyond_measure_makes_the_page_unreadable(value: str) -> None:
    with pytest.raises(UnreadableGauge, match="power_kw is "):
        read_gauge(f"power_kw {value}\nlimit_kw 88\n", IN_KW)
    with pytest.raises(UnreadableGauge, match="limit_kw is "):
        read_gauge(f"power_kw 0\nlimit_kw {value}\n", IN_KW)


def test_the_power_of_a_vehicle_counts_only_where_the_gauges_are_in_kilowatts() -> None:
    plain = SubstationProfile(gauge_name="a", capacity_gauge_name="b", default_capacity=3)
    assert read_gauge("a 1\n", plain) == Reading(1, 3)
    assert plain.gauge_kw is None
    assert IN_KW.gauge_kw == 22
    # A vehicle's power is told for its template alone, where the load is counted in vehicles.
    assert SubstationProfile(vehicle_kw=22).gauge_kw is None
    assert read_gauge(page(3, 8), SubstationProfile(vehicle_kw=22)) == Reading(3, 8)


def test_the_load_may_exceed_the_capacity_and_is_passed_on_as_it_is() -> None:
    assert read_gauge(page(9, 8), NAMES) == Reading(9, 8)


def test_a_duplicated_series_counts_once() -> None:
    text = (
        'substation_current_load{point="1",substation="a"} 1\n'
        'substation_current_load{substation="a", point="1",} 1\n'
        'substation_current_load{point="2",substation="a"} 2\n'
        'substation_current_load{point="1",substation="a"} 3\n'
        "substation_capacity 8\nsubstation_capacity 8\n"
    )
    assert read_gauge(text, NAMES) == Reading(3, 8)


def points(count: int, more: str = "") -> str:
    series = (f'substation_current_load{{point="{n}"{more}}} 1' for n in range(count))
    return "\n".join([*series, "substation_capacity 8", ""])


def test_a_substation_may_have_a_series_for_each_of_many_points() -> None:
    assert read_gauge(points(999), NAMES).load == 999


@pytest.mark.parametrize("text", [points(1000), points(25_000), points(900, f',x="{"y" * 150}"')])
def test_too_many_series_are_refused_before_one_is_parsed(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    monkeypatch.setattr("load_balancer.gauge.text_string_to_metric_families", parsed.append)
    with pytest.raises(UnreadableGauge, match=r"over 1,000 series, or 131,072 char.*their sums"):
        read_gauge(text, NAMES)
    assert not parsed


def test_a_series_beyond_all_measure_is_refused() -> None:
    text = 'substation_current_load{x="' + "\\" * 5_000 + '"} 1\n'
    with pytest.raises(UnreadableGauge, match="over 4,096 characters; it begins 'substation_curr"):
        read_gauge(text, NAMES)


@pytest.mark.parametrize("text", [points(999), "\n" * 1_000_000, "some_other 1\n" * 50_000])
def test_others_have_their_turn_while_a_large_page_is_read(text: str) -> None:
    turns: list[int] = []
    with suppress(UnreadableGauge):
        read_gauge(text, NAMES, lambda: turns.append(1))
    assert len(turns) > 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "it is empty"),
        (" \n\t\n", "it is empty"),
        ("\n  <html>It works!</html>", "it begins '<html>It works!</html>'"),
        ("<p>" + "x" * 900_000, "it begins '<p>" + "x" * 56 + "…"),
        ("caf\xe9 \x1b[31m\x00", r"it begins 'caf\xe9 \x1b[31m\x00'"),
        ("substation_current_load three\n", "it begins 'substation_current_load three\\n'"),
    ],
)
def test_a_page_that_is_refused_shows_its_first_words(text: str, shown: str) -> None:
    with pytest.raises(UnreadableGauge) as raised:
        read_gauge(text, NAMES)
    assert str(raised.value).endswith(shown)
    assert str(raised.value).isprintable()


ODD = st.sampled_from(
    ["{", "}", '"', "=", ",", "\\", "\0", "\u2028", "\ud800", "\r", "#", "__name__"]
)
NAME = st.sampled_from(
    [NAMES.gauge_name, NAMES.capacity_gauge_name, "substation_power_kw", "substation_draining"]
)
LABELS = st.one_of(
    st.just(""),
    st.sampled_from(["{}", '{a="b"}', '{a="b",a="c"}', '{a="\\\\"}', "{a=1}", '{="b"}', "{a"]),
    st.lists(ODD, max_size=6).map("".join),
)
VALUE = st.one_of(
    st.floats().map(str),
    st.integers(-3, 12).map(str),
    st.sampled_from(["1" * 400, "-" + "9" * 5_000, "1e400", "+Inf", "0x1", "1_0", "", "1 2 3"]),
    st.text(max_size=5),
)
LINE = st.tuples(NAME, LABELS, st.sampled_from([" ", "\t", ""]), VALUE).map("".join)


@given(st.lists(LINE, max_size=6).map("\n".join))
def test_whatever_a_page_says_it_is_read_or_refused_in_a_few_words(text: str) -> None:
    reading, refused = None, ""
    try:
        reading = read_gauge(text, SubstationProfile(default_capacity=4))
    except UnreadableGauge as error:
        refused = str(error)
    assert len(refused) < 500
    assert refused.isprintable()
    if reading is not None:
        assert 0 <= reading.load <= 1_000_000
        assert 0 <= reading.capacity <= 1_000_000


@given(st.lists(st.tuples(NAME, st.sampled_from([" ", "  ", "\t"]), VALUE), max_size=6))
def test_series_without_labels_are_read_as_the_parser_reads_them(
    lines: list[tuple[str, str, str]],
) -> None:
    without = "\n".join(f"{name}{space}{value}" for name, space, value in lines)
    by_the_parser = "\n".join(f"{name}{{}}{space}{value}" for name, space, value in lines)
    assert _reading_of(without) == _reading_of(by_the_parser)


def _reading_of(text: str) -> Reading | None:
    try:
        return read_gauge(text, SubstationProfile(default_capacity=4))
    except UnreadableGauge:
        return None


@pytest.mark.parametrize(
    ("text", "names", "why"),
    [
        ("x 1\n", NAMES, "its page has no substation_current_load; it begins 'x 1\\n'"),
        (
            "substation_current_load 3\n",
            NAMES,
            "its page has no substation_capacity: set DEFAULT_CAPACITY, or default_capacity in "
            "SUBSTATIONS_FILE, to the vehicles that it holds",
        ),
        (
            "power_kw 3\n",
            IN_KW,
            "its page has no limit_kw: set default_capacity in SUBSTATIONS_FILE, "
            "to its limit in kW",
        ),
        (page(2.5), NAMES, "substation_current_load is 2.5, which is not a number of vehicles"),
        (page(3, -1), NAMES, "substation_capacity is -1, which is not a number of vehicles"),
        # A default does not paper over what is published.
        (
            page(3, "NaN"),
            SubstationProfile(default_capacity=6),
            "substation_capacity is nan, which is not a number of vehicles",
        ),
        # More digits than a number has are infinite.
        (
            page("9" * 400),
            NAMES,
            "substation_current_load is inf, which is not a number of vehicles",
        ),
        (
            page("-" + "9" * 400),
            NAMES,
            "substation_current_load is -inf, which is not a number of vehicles",
        ),
        (
            page(1000001),
            NAMES,
            "substation_current_load is 1e+06; no substation has more than 1,000,000",
        ),
        ("power_kw -1\nlimit_kw 8\n", IN_KW, "power_kw is -1, which is not a power"),
        ("power_kw 1\nlimit_kw NaN\n", IN_KW, "limit_kw is nan, which is not a power"),
        (
            points(1000),
            NAMES,
            "its page has over 1,000 series, or 131,072 characters, of substation_current_load and "
            "related gauges; publish their sums",
        ),
        (
            "substation_current_load{" + "x" * 4096,
            NAMES,
            "its page has a series of substation_current_load or a related gauge that is over "
            f"4,096 characters; it begins 'substation_current_load{{{'x' * 35}…",
        ),
        (
            "substation_current_load three\n",
            NAMES,
            "not Prometheus text (ValueError: \"could not convert string to float: 'three'\"); "
            "it begins 'substation_current_load three\\n'",
        ),
    ],
)
def test_the_messages_for_unreadable_pages(text: str, names: SubstationProfile, why: str) -> None:
    with pytest.raises(UnreadableGauge) as raised:
        read_gauge(text, names)
    assert str(raised.value) == why


def test_a_gauge_may_be_as_large_as_its_bounds() -> None:
    assert read_gauge(page(1_000_000, 1_000_000), NAMES) == Reading(1_000_000, 1_000_000)
    longest = 'substation_current_load{x="' + "y" * 4065 + '"} 1'
    assert len(longest) == 4096
    assert read_gauge(f"{longest}\nsubstation_capacity 8\n", NAMES) == Reading(1, 8)


def test_the_series_may_have_as_many_characters_as_are_read() -> None:
    series = [f'substation_current_load{{point="{n:096}"}} 1' for n in range(999)]
    capacity = f"{'substation_capacity 8':<203}"
    assert sum(map(len, [*series, capacity])) == 131_072
    assert read_gauge("\n".join([*series, capacity]), NAMES) == Reading(999, 8)
    with pytest.raises(UnreadableGauge, match=r"over 1,000 series, or 131,072 characters"):
        read_gauge("\n".join([*series, capacity + " "]), NAMES)


def test_power_that_cannot_be_negative_is_reported_from_what_a_substation_feeds_back() -> None:
    reading = read_gauge(page(3, 8, "substation_power_kw -5", "substation_power_limit_kw 7"), NAMES)
    assert (reading.power_kw, reading.power_limit_kw) == (-5, 7)


def test_others_have_a_turn_for_each_millisecond_of_a_large_page() -> None:
    turns: list[int] = []
    read_gauge(page(3, 8) + "\n" * 60_000, NAMES, lambda: turns.append(1))
    assert len(turns) == 4 + 1  # pieces that were scanned, and the one that was parsed
