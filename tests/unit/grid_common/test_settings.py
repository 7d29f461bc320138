"""Settings of every service, as an environment gives them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import Field, ValidationError, model_validator

import charge_request_service.settings
import load_balancer.settings
import substation_service.settings
from grid_common.settings import (
    FilePath,
    ServiceSettings,
    SettingsError,
    explain,
    in_use_by_old_name,
    misspelt,
    rows,
)

SERVICES: list[type[ServiceSettings]] = [
    charge_request_service.settings.Settings,
    load_balancer.settings.Settings,
    substation_service.settings.Settings,
]
NEEDED = {"SUBSTATIONS": "http://substation1:5002"}
ODD = ["nan", "inf", "1e400", "0x10", "-1", "\x01", "a\nb", "\udcff", "é", "[::1", "::g", "a..b"]


Load = Callable[..., Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a service's settings from these variables and those that it needs, and no others."""

    def load_from(settings: type[ServiceSettings], **env: str) -> object:
        for service in SERVICES:
            for name in service.model_fields:
                monkeypatch.delenv(name.upper(), raising=False)
        for name, value in {**NEEDED, **env}.items():
            monkeypatch.setenv(name, value)
        return settings.load()

    return load_from


@pytest.mark.parametrize("settings", SERVICES, ids=lambda one: one.__module__)
def test_a_setting_that_is_set_but_empty_counts_as_not_set(
    settings: type[ServiceSettings], load: Load
) -> None:
    names = [name.upper() for name in settings.model_fields if name.upper() not in NEEDED]
    plain = load(settings)
    assert load(settings, **dict.fromkeys(names, "")) == plain


@pytest.mark.parametrize("settings", SERVICES, ids=lambda one: one.__module__)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_is_taken_or_refused_by_name(
    settings: type[ServiceSettings], odd: str, load: Load
) -> None:
    for name in settings.model_fields:
        reported = ""
        try:
            taken = getattr(load(settings, **{name.upper(): odd}), name)
        except SettingsError as error:
            taken, reported = "", str(error)
        assert str(taken).isprintable(), f"{name} takes {odd!a}"
        assert not reported or f"{name.upper()}=" in reported


RENAMED = [(service, old, now) for service in SERVICES for old, now in service.renamed.items()]


@pytest.mark.parametrize(("settings", "old", "now"), RENAMED, ids=lambda one: str(one))
def test_a_setting_has_its_old_name_too_and_the_new_one_counts_if_both_are_set(
    settings: type[ServiceSettings], old: str, now: str, load: Load
) -> None:
    taken = load(settings, **{old: "1"})
    assert getattr(taken, now.lower()) == 1
    assert in_use_by_old_name(settings, {old: "1", now: "1"}) == {old: now}
    both = load(settings, **{old: "1", now: "0.5" if "RATIO" in now else "2"})
    assert getattr(both, now.lower()) == (0.5 if "RATIO" in now else 2)
    unset = load(settings, **{old: ""})
    assert getattr(unset, now.lower()) == settings.model_fields[now.lower()].default


def test_a_setting_is_renamed_to_one_that_there_is_and_its_old_name_is_not_misspelt() -> None:
    assert len(RENAMED) == 5
    for settings, old, now in RENAMED:
        assert now.lower() in settings.model_fields
        assert old.lower() not in settings.model_fields
        assert misspelt(settings, [old]) == {}


class Some(ServiceSettings):
    """Settings of a service that there is not."""

    port: int = Field(5000, ge=0, le=65_535, description="TCP port to listen on")
    needed: str = Field(description="What it cannot do without")
    secret: str = Field("", repr=False, pattern="^[a-z]*$", description="What is not shown whole")
    share: float = Field(0.5, gt=0, description="Part of a whole")
    maybe: int | None = Field(None, description="What may be left out")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.share > self.port:
            raise ValueError("share is more than port")
        return self


Start = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Start a program with these settings; return its exit status, output and errors."""

    def start_with(*arguments: str, **env: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["some", *arguments])
        for name in Some.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            Some.load_or_exit("some")
        return ended.value.code, *capsys.readouterr()

    return start_with


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["x", "--help"]])
def test_a_program_prints_its_settings_when_it_is_asked(arguments: list[str], start: Start) -> None:
    status, output, errors = start(*arguments)

    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert output.endswith("\n")
    assert lines[:3] == ["usage: python -m some", "", "Settings (environment variables):"]
    assert lines[3] == "  BIND_HOST        Address to listen on (default: 127.0.0.1)"
    assert lines[4] == "  PORT             TCP port to listen on (default: 5000)"
    assert lines[-4:] == [
        "  NEEDED           What it cannot do without (default: none)",
        "  SECRET           What is not shown whole (default: none)",
        "  SHARE            Part of a whole (default: 0.5)",
        "  MAYBE            What may be left out (default: none)",
    ]


def test_a_program_takes_no_arguments_and_says_where_its_settings_come_from(start: Start) -> None:
    for arguments in (["--port"], ["--port", "1"]):
        assert start(*arguments, NEEDED="x") == (
            2,
            "",
            "some: unknown argument '--port': settings come from the environment, "
            "see `python -m some --help`\n",
        )


def test_a_program_names_each_setting_that_is_missing_or_wrong(start: Start) -> None:
    status, output, errors = start(PORT="x", SECRET="K" * 21, SHARE="-1", MAYBE="http://u:p@h")

    assert (status, output) == (2, "")
    assert errors.splitlines() == [
        "some: setting PORT=x cannot be used: Input should be a valid integer, unable to parse "
        "string as an integer. Correct or unset it. TCP port to listen on (default: 5000).",
        "some: setting NEEDED is missing: set it. What it cannot do without (default: none).",
        f"some: setting SECRET={'K' * 20}... cannot be used: String should match pattern "
        "'^[a-z]*$'. Correct or unset it. What is not shown whole (default: none).",
        "some: setting SHARE=-1 cannot be used: Input should be greater than 0. Correct or unset "
        "it. Part of a whole (default: 0.5).",
        "some: setting MAYBE=http://***@h cannot be used: Input should be a valid integer, unable "
        "to parse string as an integer. Correct or unset it. What may be left out (default: none).",
    ]


def test_a_secret_that_is_short_is_shown_and_one_setting_may_not_fit_another(start: Start) -> None:
    _, _, errors = start(NEEDED="x", SECRET="K" * 20)
    assert f"setting SECRET={'K' * 20} cannot be used" in errors

    _, _, errors = start(NEEDED="x", SHARE="6000")
    assert errors == (
        "some: settings cannot be used: share is more than port. Correct or unset it.\n"
    )


def test_a_program_whose_settings_do_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["some"])
    monkeypatch.setenv("NEEDED", "x")
    assert Some.load_or_exit("some").needed == "x"


def test_a_service_works_with_few_connections_if_it_is_to_hold_fewer() -> None:
    assert Some(needed="x").least_connections == 32
    assert Some(needed="x", max_connections=5).least_connections == 5


def test_a_setting_without_a_description_has_an_empty_one() -> None:
    class Bare(ServiceSettings):
        bare: int = 1

    assert rows(Bare)[-1] == ("BARE", "1", "")


def test_a_default_is_shown_without_digits_that_say_nothing() -> None:
    class Timed(ServiceSettings):
        timeout_s: float = 60.0

    assert rows(Timed)[-1] == ("TIMEOUT_S", "60", "")


def test_of_two_settings_that_may_be_meant_the_nearer_one_is_named() -> None:
    class Alike(ServiceSettings):
        poll_interval_s: float = 1.0
        poll_intervals_s: float = 1.0

    assert misspelt(Alike, ["POLL_INTERVALS_SS", "POL_INTERVAL_S"]) == {
        "POLL_INTERVALS_SS": "POLL_INTERVALS_S",
        "POL_INTERVAL_S": "POLL_INTERVAL_S",
    }


def test_a_misspelt_setting_is_reported_from_those_of_other_services() -> None:
    variables = ["TIME_SCALES", "time_scal", "TIME_SCALE", "time_scale", "PATH", "PORT\udcff", ""]
    found = misspelt(substation_service.settings.Settings, variables)
    assert found == {"TIME_SCALES": "TIME_SCALE", "time_scal": "TIME_SCALE"}
    every = {name.upper() for service in SERVICES for name in service.model_fields}
    assert [misspelt(service, every) for service in SERVICES] == [{}, {}, {}]


def test_what_stops_a_start_is_reported_with_the_misspelt_setting_beside_it(start: Start) -> None:
    _, _, errors = start(NEDED="x")
    assert errors.splitlines()[-1] == "some: NEDED is not a setting; did you mean NEEDED?"


def test_a_path_that_cannot_be_logged_is_refused_with_the_remedy() -> None:
    class Filed(ServiceSettings):
        file: FilePath = Field(Path("a"), description="Where it is kept")

    with pytest.raises(ValidationError) as refused:
        Filed(port=5000, file=Path("a\x01"))
    assert explain(Filed, refused.value) == (
        "setting FILE=a\x01 cannot be used: it cannot be logged; give a path of printable UTF-8 "
        "characters. Correct or unset it. Where it is kept (default: a)."
    )
