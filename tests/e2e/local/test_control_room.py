"""The control room in a real browser, over a real grid whose parts stop and come back."""

import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import BrowserContext, Locator, Page, Route, ViewportSize, expect

from local_stack.grid import Grid
from local_stack.process import Process
from tests.e2e.local.control_room import go, slot
from tests.e2e.local.page_checks import contrast_faults, structure_faults

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
# Chromium itself notes every answer that is no success there, and every call without an answer.
_NETWORK = "Failed to load resource"


@pytest.fixture
def complaints() -> list[str]:
    """What stands on the page's console, and what it threw."""
    return []


@pytest.fixture
def page(context: BrowserContext, grid: Grid, complaints: list[str]) -> Iterator[Page]:
    """The control room, open; whatever it complains of fails the test."""
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"thrown: {error}"))
    go(page, grid.url)
    expect(page.locator(".card")).to_have_count(3)
    yield page
    page.close()
    assert [one for one in complaints if _NETWORK not in one] == []


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


def charge_directly(url: str, kwh: float) -> threading.Thread:
    """Send a vehicle to a substation past the balancer, without waiting for its answer."""
    send = partial(requests.post, f"{url}/charge", json={"kwh": kwh}, timeout=60)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def bring_back(process: Process, fault: str) -> None:
    if fault == "freeze":
        process.thaw()
    else:
        process.start()


def test_what_looks_wrong_is_reported_of_a_substation_that_is_up_and_of_the_file_of_substations(
    page: Page,
) -> None:
    expect(slot(page, "substation1", "warning")).to_be_hidden()
    expect(page.locator("#cards-problem")).to_be_hidden()

    def change(route: Route) -> None:
        grid = route.fetch().json()
        grid["configuration_problem"] = "substations.toml: [substations.north] url is missing"
        grid["substations"][0]["warning"] = "reported 40 kWh as charged after 0.01 s"
        route.fulfill(json=grid)

    page.route("**/substations", change)

    expect(slot(page, "substation1", "warning")).to_have_text(
        "reported 40 kWh as charged after 0.01 s"
    )
    expect(slot(page, "substation2", "warning")).to_be_hidden()
    expect(page.locator("#cards-problem")).to_have_text(
        "The substations file is not in use: substations.toml: [substations.north] url is missing"
    )
    assert contrast_faults(page) == []
    page.unroute_all(behavior="wait")


def test_every_substation_is_shown_live_with_its_numbers(
    page: Page, grid: Grid, complaints: list[str]
) -> None:
    for substation, points in zip(grid.substations, grid.points, strict=True):
        expect(slot(page, substation.name, "health")).to_have_text("Up")
        expect(slot(page, substation.name, "of")).to_have_text(f"of {points} points")
        expect(slot(page, substation.name, "points").locator("i")).to_have_count(points)
        expect(slot(page, substation.name, "power")).to_have_text(f"0 of {points * 50} kW")
        expect(slot(page, substation.name, "gauge")).to_have_text(re.compile(r"^0, 0\.\d s old$"))
        expect(slot(page, substation.name, "reason")).to_be_hidden()
    expect(page.locator("#figure-up")).to_have_text("3")
    expect(page.locator("#figure-points")).to_have_text("of 24 points")
    expect(page.locator("#link-text")).to_contain_text("Live")

    vehicle = charge_directly(grid.substations[1].url, 10)  # past the balancer: foreign load

    expect(slot(page, "substation2", "foreign")).to_have_text("1")
    expect(slot(page, "substation2", "own")).to_have_text("0")
    expect(slot(page, "substation2", "points").locator(".foreign")).to_have_count(1)
    expect(slot(page, "substation2", "free")).to_have_text("7 points free")
    vehicle.join(10)
    assert complaints == []  # not even a file that is missing


def test_it_asks_at_least_once_a_second_one_round_at_a_time_and_rests_when_hidden(
    page: Page,
) -> None:
    asked: list[float] = []
    rest: list[str] = []
    open_now: set[Any] = set()
    overlaps: list[str] = []

    def begin(request: Any) -> None:
        if not request.url.endswith("/substations"):
            rest.append(request.url)
        else:
            asked.append(time.monotonic())
            overlaps.extend(["overlap"] * len(open_now))
            open_now.add(request)

    page.on("request", begin)
    page.on("requestfinished", lambda request: open_now.discard(request))
    page.wait_for_timeout(3000)
    assert len(asked) >= 3
    assert median(later - former for former, later in pairwise(asked)) < 1.0
    assert overlaps == []
    for path in ("/decisions", "/rush-hour"):  # every second time, for a rate limit counts calls
        assert 0 < sum(path in url for url in rest) <= len(asked) / 2 + 1

    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => window.isAway });
          window.isAway = true;
        }"""
    )
    page.wait_for_timeout(800)  # the round that was on its way
    asked.clear()
    page.wait_for_timeout(1500)
    assert asked == []
    with page.expect_request("**/substations", timeout=1000):
        page.evaluate(
            """() => {
              window.isAway = false;
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )


def test_a_charge_through_the_form_is_answered_and_shows_up_in_the_decisions(page: Page) -> None:
    field(page, "Vehicle").fill("EV-0031")
    field(page, "kWh").fill("5")
    page.get_by_role("button", name="Charge").click()

    row = page.locator("#decisions tr").filter(has_text="EV-0031")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("least (load + 1) / capacity")
    expect(row.locator(".score")).to_have_count(3)
    expect(row.locator(".chosen")).to_have_text("substation3 0.08")  # 1 of 12 points
    expect(page.locator("#charge-answer")).to_have_text(
        re.compile(r"^EV-0031 charged 5 kWh at substation3 in 1\.\d s; it waited 0\.0 s\.$")
    )
    assert int(page.locator("#figure-pace").inner_text()) >= 1


def test_hanging_up_stops_the_charge(page: Page, grid: Grid) -> None:
    field(page, "kWh").fill("500")
    page.get_by_role("button", name="Charge").click()
    expect(page.locator("#figure-charging")).to_have_text("1")

    page.get_by_role("button", name="Disconnect").click()

    expect(page.locator("#charge-answer")).to_contain_text("Disconnected")
    expect(page.locator("#figure-charging")).to_have_text("0")
    assert grid.get("/substations")["waiting"] == 0


@pytest.mark.parametrize(
    ("label", "value", "says"),
    [
        ("kWh", "-3", "kWh is -3; it takes a number over 0 and at most 1000 (kWh)"),
        ("kWh", "lots", "kWh is 'lots'; it takes a number over 0"),
        ("Vehicle", "<b>two words</b>", "Vehicle is '<b>two words</b>'; it takes 1 to 64"),
    ],
)
def test_what_the_gateway_refuses_is_said_at_its_field(
    page: Page, label: str, value: str, says: str
) -> None:
    wrong = field(page, label)
    wrong.fill(value)
    wrong.press("Enter")

    fault = page.locator(f"#{wrong.get_attribute('id')}-fault")
    expect(fault).to_contain_text(says)
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_attribute("aria-describedby", re.compile(r"-fault$"))

    wrong.fill("")
    field(page, "kWh").fill("0.5")
    page.get_by_role("button", name="Charge").click()
    expect(fault).to_be_empty()
    expect(page.locator("#charge-answer")).to_contain_text("charged 0.5 kWh")


def test_a_rush_hour_shows_its_progress_and_its_end(page: Page) -> None:
    field(page, "Vehicles").fill("40")
    field(page, "Seconds").fill("2.5")
    field(page, "kWh each").fill("5")
    page.get_by_role("button", name="Start").click()

    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuemax", "40")
    expect(page.locator("#rush-summary")).to_contain_text("Running for")
    expect(page.get_by_role("button", name="Start")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#rush-active")).not_to_have_text("0")
    expect(page.locator("#rush-charged")).not_to_have_text("0")
    expect(page.locator("#figure-charging")).not_to_have_text("0")
    expect(page.locator("#rush-summary")).to_contain_text("all 40 charged")
    expect(page.locator("#rush-lost")).to_have_text("0")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    expect(page.locator("#announcer")).to_contain_text("all 40 charged")
    assert page.locator("#decisions tr").count() >= 40
    assert page.locator("#chart path.line").count() == 3


def test_a_rush_hour_can_be_stopped_and_is_refused_with_the_reason(page: Page) -> None:
    field(page, "Vehicles").fill("0")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rush-vehicles-fault")).to_contain_text("Vehicles is 0; it takes a whole")
    field(page, "Vehicles").fill("30")
    field(page, "Seconds").fill("0")
    field(page, "kWh each").fill("500")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rush-vehicles-fault")).to_be_empty()
    expect(page.locator("#figure-waiting")).to_have_text("6")
    expect(slot(page, "substation1", "free")).to_have_text("Full")

    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#rush-summary")).to_contain_text("Stopped after")
    expect(page.locator("#rush-why")).to_have_text("30 vehicles disconnected.")
    expect(page.locator("#figure-charging")).to_have_text("0")


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_a_substation_that_stops_turns_unhealthy_within_three_seconds_and_comes_back(
    page: Page, grid: Grid, fault: str
) -> None:
    substation = grid.substations[1]

    getattr(substation, fault)()
    stopped = time.monotonic()

    # Looked at in each frame: `expect` looks twice a second.
    page.wait_for_function(
        "health => health.textContent === 'Down'",
        arg=slot(page, substation.name, "health").element_handle(),
        timeout=3000,
    )
    assert time.monotonic() - stopped < 3
    expect(slot(page, substation.name, "reason")).not_to_be_empty()
    expect(page.locator("#announcer")).to_contain_text(f"{substation.name}: Down")
    expect(page.locator("#figure-up")).to_have_text("2")
    expect(page.locator("#figure-points")).to_have_text("of 16 points")
    expect(page.locator("#link-text")).to_contain_text("Live")

    bring_back(substation, fault)

    expect(slot(page, substation.name, "health")).to_have_text("Up")
    expect(slot(page, substation.name, "reason")).to_be_hidden()


@pytest.mark.parametrize(
    ("part", "fault", "says"),
    [
        ("gateway", "kill", "The gateway cannot be reached."),
        ("gateway", "freeze", "The gateway does not respond."),
        ("balancer", "kill", "The balancer cannot be reached"),
    ],
)
def test_a_grid_that_cannot_be_reached_is_said_with_the_age_of_what_is_shown_until_it_is_back(
    page: Page, grid: Grid, part: str, fault: str, says: str
) -> None:
    process = getattr(grid, part)
    getattr(process, fault)()

    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text(says, timeout=6000)
    expect(page.locator("#link-text")).to_have_text("Not live")
    age = page.locator("#trouble-age")
    expect(age).to_have_text(re.compile(r"What is shown is from \d+(\.\d)? s ago\."))
    before = age.inner_text()
    expect(age).not_to_have_text(before)  # it ages
    expect(page.locator(".card")).to_have_count(3)  # the last that is known stays
    assert page.title().startswith("Not live")
    assert contrast_faults(page) == []

    bring_back(process, fault)

    expect(trouble).to_be_hidden()
    expect(page.locator("#link-text")).to_contain_text("Live at")
    charged = requests.post(
        f"{grid.url}/charge", json={"vehicle_id": f"{part}-{fault}"}, timeout=20
    )
    assert charged.status_code == 200
    expect(page.locator("#decisions tr").first).to_contain_text(f"{part}-{fault}")


def test_it_can_be_used_by_keyboard_alone(page: Page) -> None:
    order = []
    for _ in range(26):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
              const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
              return [document.activeElement.id || document.activeElement.textContent,
                      outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
            }"""
        )
        assert focus[1], f"the focus cannot be seen: {focus[0]}"
        order.append(focus[0])
    assert order == [
        "Skip to the substations",
        *("Own", "Foreign", "Gauge", "Committed"),
        *("Drain", "Drain", "Drain"),
        *("rush-vehicles", "rush-over", "rush-kwh", "rush-start", "rush-stop"),
        *("sessions-state", "sessions-vehicle", "Find"),
        *("sessions-scroll", "sessions-newer", "sessions-older"),
        *("charge-vehicle", "charge-kwh", "charge-start", "charge-stop"),
        *("decisions-hold", "decisions-scroll"),
        "/substations",
    ]
    page.get_by_role("link", name="Skip to the substations").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.locator("#charge-kwh").focus()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#charge-answer")).to_contain_text("charged 2 kWh")

    hold = page.get_by_role("button", name="Hold the list")
    first = page.locator("#decisions tr").first
    expect(first).to_be_visible()
    hold.press("Space")
    held = first.get_attribute("data-sequence")
    page.locator("#charge-kwh").press("Enter")
    expect(page.locator("#charge-answer")).to_have_text("Charging …")
    expect(page.locator("#charge-answer")).to_contain_text("charged 2 kWh")
    assert first.get_attribute("data-sequence") == held
    hold.press("Space")
    expect(first).not_to_have_attribute("data-sequence", held or "")


def test_a_phone_needs_no_scrolling_sideways(page: Page, grid: Grid) -> None:
    page.set_viewport_size(PHONE)
    name = "V" * 64  # the longest there is
    requests.post(f"{grid.url}/charge", json={"vehicle_id": name, "kwh": 0.01}, timeout=10)
    row = page.locator("#decisions tr").first
    expect(row).to_contain_text(name)

    width, inner, room = page.evaluate(
        """() => {
          const list = document.querySelector("#decisions-scroll");
          return [document.documentElement.scrollWidth, list.scrollWidth, list.clientWidth];
        }"""
    )
    assert width == PHONE["width"]
    assert inner == room
    expect(page.locator("#chart svg")).to_be_visible()
    assert structure_faults(page) == []


def test_the_pace_shows_charges_per_minute_from_what_is_known(page: Page) -> None:
    paces = page.evaluate(
        """async () => {
          const { Pace } = await import("/control-room/pace.js");
          const at = (s, attempt = 1) => ({ attempt, time: new Date(s * 1000).toISOString() });
          const whole = new Pace();  // every decision that there ever was is known
          whole.add([at(10), at(50), at(55), at(58, 2)], true);
          const part = new Pace();  // more were made before the first of these
          part.add([at(40), at(45), at(50), at(55)], false);
          return [whole.at(60e3), whole.at(100e3), part.at(60e3), part.at(41e3), new Pace().at(0)];
        }"""
    )
    # 3 vehicles in a minute, the retry not counted; then 2; 4 within 20 s; too early to tell
    assert paces == [3, 2, 12, None, None]


def test_the_history_leaves_out_what_is_not_known(page: Page) -> None:
    lines, spans = page.evaluate(
        """async () => {
          const { History } = await import("/control-room/history.js");
          const history = new History();
          const substation = (name, load, health = "up") => ({ name, load, health });
          const names = ["a", "b"];
          history.add(1000, [substation("a", 1), substation("b", 5)]);
          history.add(2000, [substation("a", 2), substation("b", 5, "down")]);
          history.add(3000, [substation("a", 3), substation("b", 6)]);
          history.add(13000, [substation("a", 4)]);  // nothing was heard for 10 s
          const loads = [...history.lines("load", names)].map(([name, pieces]) =>
            [name, pieces.map((piece) => piece.map(({ value }) => value))]);
          const spans = [history.span(13000), history.span(200000)];
          history.add(700000, [substation("a", 5)]);
          return [loads, [...spans, history.samples.length]];
        }"""
    )
    assert lines == [["a", [[1, 2, 3], [4]]], ["b", [[5], [6]]]]
    assert spans == [60_000, 199_000, 1]  # never under a minute, nothing beyond ten kept


def test_labels_in_the_chart_never_cover_each_other(page: Page) -> None:
    places, tops = page.evaluate(
        """async () => {
          const { spread, roundUp } = await import("/control-room/chart.js");
          const labels = [100, 200, 198, 200].map((y, load) => ({ name: "a", load, y }));
          return [spread(labels, 200).map(({ place }) => place), [4, 12, 13, 99, 450].map(roundUp)];
        }"""
    )
    assert places == [200, 184, 168, 100]
    assert tops == [4, 12, 16, 100, 480]


def test_the_browser_refuses_markup_from_strings_and_scripts_that_are_inline(
    page: Page, complaints: list[str]
) -> None:
    refused = page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", (event) =>
            refused.push(event.effectiveDirective));
          try { document.body.innerHTML = "<p>"; } catch (error) { refused.push(error.name); }
          const script = document.createElement("script");
          script.append("window.isOwned = true");
          document.body.append(script);
          await new Promise((done) => setTimeout(done, 300));
          return [...refused, window.isOwned ? "owned" : "safe"];
        }"""
    )
    assert {"TypeError", "require-trusted-types-for", "safe"} <= set(refused)
    assert refused[-1] == "safe"
    assert complaints  # the browser's own, about what was tried here
    complaints.clear()


def test_it_can_be_read_in_both_schemes_in_every_state(page: Page, grid: Grid) -> None:
    page.emulate_media(reduced_motion="reduce")
    field(page, "kWh").fill("-1")
    page.get_by_role("button", name="Charge").click()
    expect(page.locator("#charge-kwh-fault")).not_to_be_empty()
    requests.post(f"{grid.url}/charge", json={"kwh": 0.01}, timeout=10)
    expect(page.locator("#decisions tr").first).to_be_visible()
    grid.substations[0].kill()
    expect(slot(page, "substation1", "health")).to_have_text("Down")

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert contrast_faults(page) == [], scheme
    assert structure_faults(page) == []
    moving = "getComputedStyle(document.querySelector('#rush-start')).transitionDuration"
    assert page.evaluate(moving) == "0s"
