"""Settings of every service, as an environment gives them."""

import pytest

import charge_request_service.settings
import load_balancer.settings
import substation_service.settings
from grid_common.settings import ServiceSettings, SettingsError

SERVICES: list[type[ServiceSettings]] = [
    charge_request_service.settings.Settings,
    load_balancer.settings.Settings,
    substation_service.settings.Settings,
]
NEEDED = {"SUBSTATIONS": "http://substation1:5002"}
ODD = ["nan", "inf", "1e400", "0x10", "-1", "\x01", "a\nb", "\udcff", "é", "[::1", "::g", "a..b"]


def load(settings: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch, **env: str) -> object:
    for service in SERVICES:
        for name in service.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**NEEDED, **env}.items():
        monkeypatch.setenv(name, value)
    return settings.load()


@pytest.mark.parametrize("settings", SERVICES, ids=lambda one: one.__module__)
def test_a_setting_that_is_set_but_empty_counts_as_not_set(
    settings: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name.upper() for name in settings.model_fields if name.upper() not in NEEDED]
    plain = load(settings, monkeypatch)
    assert load(settings, monkeypatch, **dict.fromkeys(names, "")) == plain


@pytest.mark.parametrize("settings", SERVICES, ids=lambda one: one.__module__)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_is_taken_or_refused_by_name(
    settings: type[ServiceSettings], odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in settings.model_fields:
        told = ""
        try:
            taken = getattr(load(settings, monkeypatch, **{name.upper(): odd}), name)
        except SettingsError as error:
            taken, told = "", str(error)
        assert str(taken).isprintable(), f"{name} takes {odd!a}"
        assert not told or f"{name.upper()}=" in told
