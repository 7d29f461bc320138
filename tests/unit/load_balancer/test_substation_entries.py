"""SUBSTATIONS and SUBSTATIONS_FILE together."""

from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.profile import SubstationProfile
from load_balancer.substation_entries import (
    EntriesFault,
    SubstationUrl,
    parse_urls,
    read_entries,
)

DEFAULTS = SubstationProfile(gauge_name="load", default_capacity=4)


def read(file: str, urls: str = "") -> dict[str, SubstationProfile]:
    return {entry.name: one for entry, one in read_entries(urls, file, DEFAULTS).items()}


def test_urls_alone_have_the_profile_of_the_settings() -> None:
    urls = "north=http://10.0.0.1:8000, http://Substation2"
    assert read_entries(urls, None, DEFAULTS) == {
        SubstationUrl("north", "10.0.0.1", 8000): DEFAULTS,
        SubstationUrl("substation2", "substation2", 80): DEFAULTS,
    }


def test_a_file_adds_substations_and_says_what_differs() -> None:
    file = """
        [substations.north]
        url = "http://10.0.0.1:8000"
        gauge_name = "ev_load"
        answer = "accepted"
        [substations."südlich 1"]
        url = "http://10.0.0.2:8000"
    """
    assert read_entries("http://substation1:5002", file, DEFAULTS) == {
        SubstationUrl("substation1", "substation1", 5002): DEFAULTS,
        SubstationUrl("north", "10.0.0.1", 8000): SubstationProfile(
            gauge_name="ev_load", default_capacity=4, answer="accepted"
        ),
        SubstationUrl("südlich 1", "10.0.0.2", 8000): DEFAULTS,
    }


def test_a_table_without_a_url_belongs_to_an_entry_in_the_urls() -> None:
    entries = read_entries(
        "http://a:1,b=http://c:2", "[substations.b]\nmetrics_port = 9100", DEFAULTS
    )
    assert list(entries) == [SubstationUrl("a", "a", 1), SubstationUrl("b", "c", 2)]
    assert [one.metrics_port for one in entries.values()] == [None, 9100]


def test_defaults_of_the_file_are_for_all_who_say_nothing_else() -> None:
    file = """
        [defaults]
        gauge_name = "ev_load"
        default_capacity = 6
        [substations.west]
        url = "http://west:1"
        default_capacity = 12
    """
    entries = read(file, "http://east:1")
    assert [(one.gauge_name, one.default_capacity) for one in entries.values()] == [
        ("ev_load", 6),
        ("ev_load", 12),
    ]


def test_the_default_capacity_of_the_settings_counts_vehicles_and_never_kilowatts() -> None:
    file = '[substations.a]\nurl = "http://a:1"\nload_unit = "kW"\nvehicle_kw = 22\n'
    assert read(file)["a"].default_capacity is None
    assert read(f"{file}default_capacity = 88.5")["a"].default_capacity == 88.5


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("", "it has no table [substations.NAME]"),
        ("[substations]", "it has no table [substations.NAME]"),
        ("[substations.north", "it is not TOML: "),
        ("a = " + "[" * 100_000, "it is not TOML: "),
        ("gauge_name = 'x'", "'gauge_name' is not known there; it takes tables"),
        ("[substation.north]", "'substation' is not known there"),
        ("[[substations]]\nurl = 'http://a:1'", "it takes a table [substations.NAME] for each"),
        ("defaults = 3", "it takes a table [substations.NAME] for each"),
        ("substations.north = 'http://a:1'", "substations.north is not a table"),
        ("[substations.north]", "[substations.north] url is missing; set url ="),
        ("[substations.north]\nurl = 5", "[substations.north] url is missing; set url ="),
        (
            "[substations.north]\nurl = 'a:1'",
            "[substations.north] 'a:1' is not of the form `http://host:port`",
        ),
        ("[substations.north]\nurl = 'http://u:pw@a:1'", "'http://***@a:1' has a user"),
        ("[substations.'a@b']\nurl = 'http://a:1'", "[substations.a@b] a name is 1 to 64"),
        ("[substations.a.b]\nurl = 'http://a:1'", "[substations.a] url is missing"),
        ("[substations.a.b]\nx = 1\n[substations.a]\nurl = 'http://a:1'", "a dot in quotes"),
        (
            "[substations.a]\nurl = 'http://a:1'\nmetrics_port = 99999",
            "[substations.a] metrics_port = 99999 cannot be used: Input should be less than or "
            "equal to 65535. Port of its metrics page",
        ),
        (
            "[substations.a]\nurl = 'http://a:1'\nmetricsPort = 9100",
            "[substations.a] 'metricsPort' is not known; did you mean metrics_port?",
        ),
        ("[substations.a]\nurl = 'http://a:1'\nxyz = 1", "'xyz' is not known; leave it out"),
        (
            "[substations.a]\nURL = 'http://a:1'",
            '[substations.a] url is missing; set url = "http://host:port"; '
            "[substations.a] 'URL' is not known; did you mean url?",
        ),
        (
            "[defaults]\nURL = 'http://a:1'\n[substations.a]\nurl = 'http://a:1'",
            "[defaults] 'URL' is not known; leave it out",
        ),
        (
            "[defaults]\nanswer = 1\n[substations.a]\nurl = 'http://a:1'",
            "[defaults] answer = 1 cannot be used",
        ),
        (
            "[substations.a]\nurl = 'http://a:1'\nload_unit = 'kW'",
            '[substations.a] load_unit = "kW" needs vehicle_kw',
        ),
        (
            "[substations.a]\nurl = 'http://a:1'\n[substations.b]\nurl = 'http://A:1/'",
            "a and b have the same address; remove one of them",
        ),
    ],
)
def test_a_file_that_cannot_be_used_names_table_field_and_remedy(file: str, why: str) -> None:
    with pytest.raises(EntriesFault) as raised:
        read(file)
    reported = str(raised.value)
    assert why in reported
    assert reported.isprintable()
    assert len(reported) < 700


@pytest.mark.parametrize("field", ["metrics_path", "body"])
@pytest.mark.parametrize("after", ["", "[defaults]\n"])
def test_values_that_are_too_deep_are_a_fault(field: str, after: str) -> None:
    deep = f"{field}.{'a.' * 3000}a = 1"
    with pytest.raises(EntriesFault, match="are nested too deep"):
        read(f"[substations.a]\nurl = 'http://a:1'\n{after}{deep}")


def test_a_url_may_be_given_in_only_one_place() -> None:
    with pytest.raises(EntriesFault, match="omit the URL in one of them"):
        read("[substations.a]\nurl = 'http://b:1'", "http://a:1")


def test_a_fault_of_the_defaults_is_reported_once_and_many_faults_are_counted() -> None:
    tables = "".join(f"[substations.s{n}]\nurl = 'http://s{n}:1'\nx{n} = 1\n" for n in range(30))
    with pytest.raises(EntriesFault) as raised:
        read(f"[defaults]\nanswer = 1\n{tables}")
    assert str(raised.value).count("[defaults]") == 1
    assert str(raised.value).endswith("; and 21 more")


@pytest.mark.parametrize(
    ("urls", "why"),
    [
        ("=http://a:1", "a name is 1 to 64"),
        (" =http://a:1", "a name is 1 to 64"),
        ("a@b=http://a:1", "a name is 1 to 64"),
        (f"{'n' * 65}=http://a:1", "a name is 1 to 64"),
        ("\udcff=http://a:1", "a name is 1 to 64"),
        ("a=b", "is not of the form `http://host:port`"),
        ("a=http://x:1?q=2", "is not of the form `http://host:port`"),
        ("http://a:1,http://a:2", "two are named 'a'"),
        ("a=http://x:1,b=http://X:1", "a and b have the same address"),
        ("a=http://[::1]:1,b=http://[0::1]:1", "a and b have the same address"),
    ],
)
def test_urls_that_cannot_be_used_are_refused(urls: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as raised:
        parse_urls(urls)
    assert why in str(raised.value)


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=3))
def test_no_table_ends_in_anything_but_entries_or_a_fault(table: dict[str, str | int]) -> None:
    def quoted(text: str | int) -> str:
        if isinstance(text, int):
            return str(text)
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'

    lines = "\n".join(f"{quoted(name)} = {quoted(value)}" for name, value in table.items())
    with suppress(EntriesFault):
        entries = read(f"[substations.a]\nurl = 'http://a:1'\n{lines}")
        assert list(entries) == ["a"]


def test_a_file_of_thousands_is_checked_in_a_time_that_grows_no_faster_than_it() -> None:
    def cpu_s(count: int) -> float:
        file = "".join(
            f'[substations.s{number}]\nurl = "http://s{number}:5002"\n' for number in range(count)
        )
        began = process_time()
        assert len(read(file)) == count
        return process_time() - began

    small, large = (min(cpu_s(count) for _ in range(3)) for count in (1_000, 16_000))
    # What grows with the square takes 256 times as much.
    assert large < 4 * 16 * small
