"""Power and predictions in the control room, with different substations."""

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local_stack.process import Process
from tests.conftest import StartService
from tests.e2e.local.control_room import card, go, opened, slot
from tests.e2e.local.page_checks import contrast_faults, structure_faults
from tests.support.raw_substation import http, raw_substation

# 15 kWh take 9 s at the fast point and 123 s at a slow one.
TIME_SCALE = 40
FAST_KW, SLOW_KW = 150, 11
NOTHING = "\u2013"
ENERGY = {"kwh": 15, "max_power_kw": FAST_KW}


@pytest.fixture
def gateway(start_service: StartService) -> Process:
    """A gateway before a fast substation with one point and a slow one with four."""
    substations = {
        name: start_service(
            "substation_service",
            SUBSTATION_NAME=name,
            CHARGING_POINTS=points,
            POINT_POWER_KW=power_kw,
            TIME_SCALE=TIME_SCALE,
        )
        for name, points, power_kw in (("fast", 1, FAST_KW), ("slow", 4, SLOW_KW))
    }
    urls = ",".join(f"{name}={substation.url}" for name, substation in substations.items())
    balancer = start_service("load_balancer", SUBSTATIONS=urls, ROUTING_POLICY="earliest-finish")
    return start_service("charge_request_service", BALANCER_URL=balancer.url)


@pytest.fixture
def page(context: BrowserContext, gateway: Process) -> Iterator[Page]:
    with opened(context, gateway.url) as page:
        expect(page.locator('.card[data-health="up"]')).to_have_count(2)
        yield page


def send(gateway: Process, vehicle: str, **reported: Any) -> None:
    """Send a vehicle and do not wait for its answer."""

    def charge() -> None:
        with suppress(requests.RequestException):  # the grid ends before a slow charge does
            requests.post(
                f"{gateway.url}/charge", json={"vehicle_id": vehicle, **reported}, timeout=60
            )

    threading.Thread(target=charge, daemon=True).start()


def row(page: Page, vehicle: str) -> Any:
    return page.locator("#decisions tr").filter(has_text=vehicle)


def test_power_committed_and_energy_left_are_shown_as_they_are(
    page: Page, gateway: Process
) -> None:
    expect(slot(page, "fast", "power")).to_have_text("0 of 150 kW")
    expect(slot(page, "fast", "energy")).to_have_text("0 kWh")
    expect(slot(page, "fast", "done")).to_have_text(NOTHING)

    send(gateway, "EV-1", **ENERGY)

    expect(slot(page, "fast", "power")).to_have_text("150 of 150 kW")
    expect(slot(page, "fast", "committed")).to_have_text("150 kW")
    expect(slot(page, "fast", "energy")).to_have_text(re.compile(r"^(1[0-4]|\d)(\.\d)? kWh$"))
    expect(slot(page, "fast", "done")).to_have_text(re.compile(r"^[1-9] s$"))
    bar = slot(page, "fast", "power-bar")
    assert bar.evaluate("one => one.style.getPropertyValue('--drawn')") == "1.000"
    assert bar.evaluate("one => one.style.getPropertyValue('--committed')") == "1.000"
    expect(row(page, "EV-1").locator("[data-slot=predicted]")).to_have_text(
        re.compile(r"^predicted to charge for 9\.0 s, until \d\d:\d\d:\d\d; at slow 113 s later$")
    )
    expect(slot(page, "fast", "energy")).to_have_text("0 kWh", timeout=20_000)
    expect(slot(page, "fast", "done")).to_have_text(NOTHING)

    for number in (2, 3):
        send(gateway, f"EV-{number}", kwh=1 + number, max_power_kw=SLOW_KW)
    expect(slot(page, "slow", "done")).to_have_text(re.compile(r"^\d+ s to \d+ s$"))


def test_a_deferred_vehicle_is_shown_so(page: Page, gateway: Process) -> None:
    expect(page.locator("#left")).to_be_hidden()
    send(gateway, "EV-first", **ENERGY)
    expect(row(page, "EV-first")).to_have_count(1)

    send(gateway, "EV-patient", **ENERGY)

    listed = page.locator("#left-list li")
    expect(listed).to_have_text(
        re.compile(r"^EV-patient waits for fast: a point is free in \d s, charged in 1?\d s$")
    )
    expect(page.locator("#figure-waiting")).to_have_text("1")
    expect(page.locator("#figure-purpose")).to_have_text("1 on purpose")
    page.locator("#left").get_by_role("button").hover()
    expect(page.get_by_role("tooltip")).to_contain_text(
        "A point is free, but the vehicle will be charged sooner at a better one"
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert contrast_faults(page) == []
    assert structure_faults(page) == []

    expect(row(page, "EV-patient")).to_contain_text("fast", timeout=20_000)
    expect(row(page, "EV-patient").locator("[data-slot=predicted]")).to_contain_text(
        "it was deferred for fast"
    )
    expect(page.locator("#left")).to_be_hidden()
    expect(page.locator("#figure-purpose")).to_be_empty()


def test_a_substation_that_answers_too_soon_is_warned_of(
    browser: Browser, start_service: StartService
) -> None:
    with raw_substation(http(b"{}")) as substation:  # it answers when charging begins
        balancer = start_service("load_balancer", SUBSTATIONS=f"hasty={substation.url}")
        gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)
        page = browser.new_page()
        go(page, gateway.url)
        expect(slot(page, "hasty", "health")).to_have_text("Up")
        expect(slot(page, "hasty", "warning")).to_be_hidden()

        requests.post(f"{gateway.url}/charge", json={"kwh": 40}, timeout=5)

        warning = slot(page, "hasty", "warning")
        expect(warning).to_contain_text("reported 40 kWh as charged after 0.0")
        expect(card(page, "hasty")).to_have_attribute("data-needs", "doubt")
        expect(slot(page, "hasty", "power")).to_have_text("not published")
        page.close()
