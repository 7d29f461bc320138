"""The command line: a wrong one names the option, the fault and the remedy."""

from pathlib import Path

import pytest

from load_tester.command_line import build_parser, parse_options
from load_tester.demand import FAST_CHARGING, FixedDemand
from load_tester.options import SCENARIOS


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        parse_options(arguments)
    assert left.value.code == 2
    return capsys.readouterr().err


def test_no_options_are_a_steady_run_against_the_default_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GATEWAY_PORT", raising=False)
    options = parse_options([])
    assert (options.url, options.scenario) == ("http://127.0.0.1:8080", "steady")
    assert (options.max_lost, options.patience, options.check) == (0, 0.0, True)
    assert (options.idempotent, options.respond_async) == (False, False)


def test_vehicles_with_keys_come_back_for_as_long_as_they_wait_unless_reported_otherwise() -> None:
    assert parse_options(["--idempotent"]).patience == 600
    assert parse_options(["--idempotent", "--timeout", "90"]).patience == 90
    assert parse_options(["--idempotent", "--patience", "5"]).patience == 5
    assert parse_options(["--async"]).patience == 0


def test_the_variable_that_moves_the_gateway_moves_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "9123")
    assert parse_options([]).url == "http://127.0.0.1:9123"
    assert parse_options(["--url", "http://a:1"]).url == "http://a:1"
    monkeypatch.setenv("GATEWAY_PORT", "")
    assert parse_options([]).url == "http://127.0.0.1:8080"


def test_a_trace_alone_is_a_replay_and_concurrency_alone_a_closed_loop() -> None:
    assert parse_options(["--trace", "x.csv"]).scenario == "replay"
    assert parse_options(["--concurrency", "3"]).scenario == "callers"


def test_values_arrive_as_what_they_are() -> None:
    options = parse_options(
        [
            "--vehicles",
            "5_000",
            "--kwh",
            "fast",
            "--substation-metrics",
            "http://a:1/metrics, http://b:1/m",
            "--url",
            "http://gateway:8080/grid/",
            "--json",
            "-",
        ]
    )
    assert options.vehicles == 5000
    assert options.kwh is FAST_CHARGING
    assert options.substation_metrics == ("http://a:1/metrics", "http://b:1/m")
    assert options.url == "http://gateway:8080/grid"
    assert options.json == Path("-")
    assert parse_options(["--kwh", "6.5"]).kwh == FixedDemand(6.5)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--rate", "x"), "--rate: 'x' is not a rate: give a number over 0 to 100000"),
        (("--rate", "0"), "--rate: '0' is not a rate"),
        (("--rate", "nan"), "--rate: 'nan' is not a rate"),
        (("--vehicles", "2.5"), "--vehicles: '2.5' is not a number of vehicles: give a whole"),
        (("--vehicles", "0"), "give a whole number from 1 to 1,000,000"),
        (("--vehicles", "²"), "--vehicles: '²' is not"),
        (
            ("--kwh", "lots"),
            "--kwh: 'lots' is not an energy: give fast, workplace, or a number of kWh",
        ),
        (("--kwh", "-3"), "is not an energy"),
        (("--kwh", "inf"), "is not an energy"),
        (("--share", "1.5"), "--share: '1.5' is not a share: give a number from 0 to 1"),
        (("--url", "localhost:8080"), "--url: 'localhost:8080' is not an address: give it as"),
        (("--url", "ftp://a"), "is not an address"),
        (("--url", "http://"), "is not an address"),
        (("--url", "http://a:b"), "is not an address"),
        (("--substation-metrics", "a,b"), "--substation-metrics: 'a' is not an address"),
        (("--vehicle", "3"), "unrecognized arguments: --vehicle 3; did you mean --vehicles?"),
        (("--scenario", "rush"), "--scenario: invalid choice: 'rush' (choose from"),
        (("rush",), "invalid choice: 'rush' (choose from"),
        (("spike", "--scenario", "soak"), "unrecognized arguments: --scenario soak"),
        (("--scenario", "soak", "spike"), "--scenario soak: spike is a scenario, too"),
        (("replay",), "replay: needs sessions to replay; give --trace"),
        (("--speed", "3"), "--speed: the scenario steady does not accept it; it goes with replay"),
        (("spike", "--speed", "3"), "--speed: the scenario spike does not accept it; it goes with"),
        (("soak", "--max-rat", "3"), "--max-rat 3; did you mean --max-rate?"),
        (("--trace", "x", "--rate", "3"), "--rate: the scenario replay does not accept it"),
        (("--share", "0.2"), "it goes with spike"),
        (("--concurrency", "2", "--rate", "3"), "--rate: the scenario callers does not accept"),
        (
            ("soak", "--concurrency", "2"),
            "--concurrency: the scenario soak does not accept it; it goes with callers",
        ),
        (
            ("--vehicles", "1", "--rate", "1", "--duration", "1"),
            "--duration: follows from --vehicles and --rate; give two of the three",
        ),
        (("--trace", "x", "--speed", "2", "--duration", "3"), "--duration: follows from --speed"),
        (("--rate", "1_5"), "--rate: '1_5' is not a rate"),
        (("--vehicles", "1_5"), "--vehicles: '1_5' is not a number of vehicles"),
        (("--kwh", "1_5"), "--kwh: '1_5' is not an energy"),
        (("--kwh", "x" * 5_000), "--kwh: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'… is no"),
        (("--vehicles", "9" * 5_000), "--vehicles: '9999999999999999999999999999999999999999'… is"),
        (("--wait", "1e9"), "--wait: '1e9' is not a number of seconds"),
        (("--report", "-"), "--report -: needs a file; name one (only --json accepts -)"),
        (("--each", "-"), "--each -: needs a file"),
        (("--max-lost", "-1"), "--max-lost: '-1' is not a number of vehicles"),
        (
            ("--idempotent", "--patience", "0"),
            "--patience 0: with --idempotent vehicles retry; give the number of seconds",
        ),
    ],
)
def test_a_wrong_option_is_named_with_fault_and_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], fault: str
) -> None:
    message = refused(capsys, *arguments)
    assert fault in message
    assert message.startswith("load_tester: ")
    assert message.endswith("See `python -m load_tester --help`.\n")


def test_the_help_names_every_scenario_the_columns_and_the_exit_statuses() -> None:
    text = build_parser().format_help()
    assert all(f"\n    {scenario}" in text for scenario in SCENARIOS)
    for words in ("arrival_utc", "requested_energy_kwh", "energy_wh", "examples:", "exit status:"):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "replay"])
def test_the_help_of_a_scenario_has_the_options_that_it_accepts_and_no_others(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options([scenario, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert ("--share" in text) == (scenario == "spike")
    assert ("--min-rate" in text) == (scenario == "stress")
    assert ("\n  --concurrency" in text) == (scenario == "callers")
    assert "--trace" not in text
    assert "--timeout" in text
    assert SCENARIOS[scenario].defaults in " ".join(text.split())


def test_the_old_name_of_an_option_still_works_and_warns_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for old in (["--site-metrics", "http://a:1/m"], ["--site-metrics=http://a:1/m"]):
        assert parse_options(["spike", *old]).substation_metrics == ("http://a:1/m",)
        assert capsys.readouterr().err == (
            "load_tester: --site-metrics: is deprecated and will be removed; use "
            "--substation-metrics\n"
        )


def test_the_old_name_of_a_scenario_still_works_and_warns_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parse_options(["--vehicles", "3", "--scenario", "spike", "--share", "1"]) == (
        parse_options(["--vehicles", "3", "spike", "--share", "1"])
    )
    assert capsys.readouterr().err == (
        "load_tester: --scenario spike: is deprecated and will be removed; give spike as the first "
        "argument\n"
    )
