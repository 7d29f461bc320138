"""The control room of a grid that is at its limits and beyond, in a real browser."""

import math
import re
import threading
import time
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

from local_stack.grid import Grid
from tests.e2e.local.control_room import (
    breaks_within_words,
    card,
    go,
    many,
    opened,
    order,
    reported,
    slot,
)
from tests.e2e.local.page_checks import contrast_faults, structure_faults
from tests.support.deadline import eventually

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
# Two colours nearer to each other than this in OKLab are easily taken for one another.
LEAST_APART = 0.1
NOTHING = "\u2013"


@pytest.fixture
def page(context: BrowserContext, grid: Grid) -> Iterator[Page]:
    """The control room, open; whatever it throws fails the test."""
    with opened(context, grid.url) as page:
        expect(page.locator(".card")).to_have_count(3)
        yield page


def overfull(grid: dict[str, Any]) -> None:
    """The second substation holds 30 vehicles at 24 points: 8 own, 22 of others."""
    grid["substations"][1] |= {
        "capacity": 24,
        "load": 30,
        "own_load": 8,
        "foreign_load": 22,
        "gauge": 30,
    }


@pytest.fixture
def charging(grid: Grid) -> Iterator[None]:
    """Twelve vehicles charge for as long as the test lasts."""
    sessions = [requests.Session() for _ in range(12)]

    def charge(session: requests.Session) -> None:
        try:
            session.post(f"{grid.url}/charge", json={"kwh": 500}, timeout=1)
        except requests.RequestException:
            return  # disconnected

    stop = threading.Event()

    def go_on(session: requests.Session) -> None:
        while not stop.is_set():
            charge(session)

    threads = [threading.Thread(target=go_on, args=(one,), daemon=True) for one in sessions]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join(5)


def chart_overflow(page: Page) -> list[str]:
    """List what is drawn outside the chart's own box."""
    overflow: list[str] = page.evaluate(
        """() => {
          const box = document.querySelector("#chart").getBoundingClientRect();
          return [...document.querySelectorAll("#chart svg *")].filter((one) => {
            const { top, bottom, left, right } = one.getBoundingClientRect();
            return top < box.top - 8 || bottom > box.bottom + 8
              || left < box.left - 8 || right > box.right + 8;
          }).map((one) => one.outerHTML.slice(0, 120));
        }"""
    )
    return overflow


def test_the_chart_stays_in_its_panel_when_load_exceeds_capacity(page: Page) -> None:
    with reported(page, overfull):
        label = page.locator("#chart .name").filter(has_text="substation2")
        expect(label).to_have_text("30 substation2")
        assert chart_overflow(page) == []
        page.set_viewport_size(PHONE)
        page.wait_for_timeout(600)
        assert chart_overflow(page) == []


def test_labels_of_many_full_substations_stay_in_the_panel_and_apart(page: Page) -> None:
    def full(grid: dict[str, Any]) -> None:
        many(30)(grid)
        for substation in grid["substations"]:
            substation["load"] = substation["own_load"] = substation["capacity"]

    with reported(page, full):
        expect(page.locator("#chart path.line")).to_have_count(24)
        expect(page.locator("#chart-span")).to_contain_text("busiest")
        assert chart_overflow(page) == []
        # All at once: the chart is drawn anew several times a second.
        tops = sorted(
            page.locator("#chart .name").evaluate_all(
                "names => names.map(name => name.getBoundingClientRect().y)"
            )
        )
        assert len(tops) > 10
        assert all(later - former >= 15 for former, later in pairwise(tops))


def test_more_vehicles_than_points_are_marked(page: Page) -> None:
    with reported(page, overfull):
        expect(card(page, "substation2")).to_have_attribute("data-needs", "over")
        expect(slot(page, "substation2", "of")).to_have_text("of 24 points")
        expect(slot(page, "substation2", "free")).to_have_text("6 over capacity")
        cells = slot(page, "substation2", "points")
        expect(cells.locator("i")).to_have_count(30)
        expect(cells.locator(".over")).to_have_count(6)
        expect(page.locator("#figure-over")).to_have_text("6 over capacity")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert contrast_faults(page) == []
    expect(page.locator("#figure-over")).to_be_empty()
    expect(cells.locator(".over")).to_have_count(0)


@pytest.mark.usefixtures("charging")
def test_a_substation_that_is_down_shows_no_power(page: Page, grid: Grid) -> None:
    expect(slot(page, "substation3", "power")).to_have_text(re.compile(r"^[1-9]\d* of 600 kW$"))
    expect(slot(page, "substation3", "power-bar")).to_be_visible()

    grid.substations[2].kill()

    expect(slot(page, "substation3", "health")).to_have_text("Down")
    expect(slot(page, "substation3", "power")).to_have_text(NOTHING)
    expect(slot(page, "substation3", "power-bar")).to_be_hidden()
    expect(page.locator("#figure-limit")).to_have_text("of 600 kW")  # of the two that are up


def test_power_that_is_not_published_is_not_shown_as_none(page: Page) -> None:
    def publish(power_kw: float | None, limit_kw: float | None, *, substations: int = 3) -> Any:
        def edit(grid: dict[str, Any]) -> None:
            for substation in grid["substations"][:substations]:
                substation |= {"power_kw": power_kw, "power_limit_kw": limit_kw}

        return edit

    figure, limit = page.locator("#figure-power"), page.locator("#figure-limit")
    with reported(page, publish(None, None)):
        expect(figure).to_have_text(NOTHING)
        expect(limit).to_have_text("not published")
        expect(slot(page, "substation1", "power")).to_have_text("not published")
        expect(slot(page, "substation1", "power-bar")).to_be_hidden()
    with reported(page, publish(None, None, substations=1)):
        expect(figure).to_have_text("0")
        expect(limit).to_have_text("of 1,000 kW, 2 substations")
    with reported(page, publish(None, None, substations=2)):
        expect(limit).to_have_text("of 600 kW, 1 substation")
    with reported(page, publish(42.5, None)):
        expect(limit).to_have_text("kW")
        expect(slot(page, "substation1", "power")).to_have_text("42.5 kW")
        expect(slot(page, "substation1", "power-bar")).to_be_hidden()


def oklab(color: str) -> tuple[float, float, float]:
    """Return a colour (#rrggbb) where distance is as the eye sees it (Ottosson, 2020)."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_distinct_and_beyond_eight_are_joined_by_marks(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    with reported(page, many(30)):
        expect(page.locator(".card")).to_have_count(30)
        looks = page.evaluate(
            """() => [...document.querySelectorAll(".card")].map((card) => {
              const { borderRadius, clipPath } = getComputedStyle(card.querySelector(".key"));
              const hue = getComputedStyle(card).getPropertyValue("--hue").trim();
              return [card.dataset.substation, hue, `${borderRadius} ${clipPath}`];
            })"""
        )
        strokes = page.evaluate(
            """() => [...document.querySelectorAll("#chart path.line")].map((line) => {
              const { stroke, strokeDasharray } = getComputedStyle(line);
              return `${stroke} ${strokeDasharray}`;
            })"""
        )
    assert len({(hue, shape) for _, hue, shape in looks}) == 30
    assert len(set(strokes)) == len(strokes) == 24
    hues = {hue for _, hue, _ in looks}
    assert len(hues) == 8
    for one, other in combinations(hues, 2):
        assert math.dist(oklab(one), oklab(other)) >= LEAST_APART, (one, other)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_addresses_stay_whole_or_break_between_their_parts(page: Page, width: int) -> None:
    def edit(grid: dict[str, Any]) -> None:
        first, second, third = grid["substations"]
        first |= {
            "name": "substation-north.charging.example.internal:5002",
            "health": "down",
            "reason": "http://substation-north.charging.example.internal:5002/metrics?module=ev: "
            "no response within 0.8 s from 192.168.117.204:5002",
        }
        second["name"] = "192.168.117.204:5002"
        third |= {
            "name": "[fd12:3456:789a:1:a00:27ff:fe4e:66a1]:5002",
            "warning": "answered before http://192.168.117.204:50020/charge can have",
        }

    page.set_viewport_size({"width": width, "height": 800})
    with reported(page, edit):
        expect(card(page, "192.168.117.204:5002")).to_be_visible()
        assert breaks_within_words(slot(page, "192.168.117.204:5002", "name")) == []
        for text in page.locator(".card :is([data-slot=name], .reason, .warning)").all():
            for before, after in breaks_within_words(text):
                assert before in ".:/-?", f"{before} {after} in {text.inner_text()}"
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide == width


def test_what_needs_attention_comes_first_and_looks_it(page: Page, grid: Grid) -> None:
    paper = "one => getComputedStyle(one).backgroundColor + getComputedStyle(one).borderColor"
    calm = card(page, "substation3").evaluate(paper)
    assert order(page) == ["substation1", "substation2", "substation3"]
    expect(page.locator("#cards-needs")).to_be_empty()

    grid.substations[2].kill()

    expect(page.locator(".card").first).to_have_attribute("data-substation", "substation3")
    assert order(page) == ["substation3", "substation1", "substation2"]
    expect(page.locator("#cards-needs")).to_have_text("1 of 3 needs attention")
    alarm = card(page, "substation3").evaluate(paper)
    assert alarm != calm

    def doubt(grid: dict[str, Any]) -> None:
        grid["substations"][1]["warning"] = "reported 40 kWh as charged after 0.01 s"

    with reported(page, doubt):
        expect(page.locator("#cards-needs")).to_have_text("2 of 3 need attention")
        assert order(page) == ["substation3", "substation2", "substation1"]
        assert len({calm, alarm, card(page, "substation2").evaluate(paper)}) == 3

    grid.substations[2].start()
    expect(page.locator("#cards-needs")).to_be_empty()
    assert order(page) == ["substation1", "substation2", "substation3"]


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("Own", "this balancer sent there"),
        ("Foreign", "did not send"),
        ("Gauge", "that the substation reported"),
        ("Committed", "together without a limit"),
    ],
)
def test_terms_explain_themselves_on_hover_and_on_focus(page: Page, term: str, says: str) -> None:
    tip = page.get_by_role("tooltip")
    button = page.locator(".legend").get_by_role("button", name=term)
    expect(tip).to_be_hidden()

    button.hover()
    expect(tip).to_contain_text(says)
    tip.hover()  # what is long can be read with the pointer on it
    expect(tip).to_contain_text(says)
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()

    page.get_by_role("link", name="Skip to the substations").focus()
    while not button.evaluate("one => one === document.activeElement"):
        page.keyboard.press("Tab")
    expect(tip).to_contain_text(says)
    box = tip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert contrast_faults(page) == []
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(button).to_be_focused()
    described = button.get_attribute("aria-describedby")
    expect(page.locator(f"#{described}")).to_contain_text(says)

    if term != "Committed":
        card(page, "substation2").locator("dt", has_text=term).hover()
        expect(tip).to_contain_text(says)
    assert structure_faults(page) == []


@pytest.mark.usefixtures("charging")
def test_the_chart_begins_with_the_balancers_history(context: BrowserContext, grid: Grid) -> None:
    def ten_seconds_are_known() -> None:
        (load,) = (
            substation["load"]
            for substation in grid.get("/history")["substations"]
            if substation["name"] == "substation3"
        )
        assert len([one for one in load if one is not None]) >= 10
        assert max(one or 0 for one in load) > 0

    eventually(ten_seconds_are_known, 20)
    page = context.new_page()
    opened = time.monotonic()
    go(page, grid.url)
    expect(page.locator("#chart path.line")).to_have_count(3)
    share = page.evaluate(
        """() => {
          const plot = document.querySelector("#chart .rule").getBoundingClientRect();
          const line = document.querySelectorAll("#chart path.line")[2].getBoundingClientRect();
          return line.width / plot.width;
        }"""
    )
    seen_s = time.monotonic() - opened
    page.close()
    # A minute at least is as wide as the plot; what the page saw by itself is narrow.
    assert share > 9 / 60
    assert share > seen_s / 60


@pytest.mark.usefixtures("charging")
def test_a_changed_limit_is_reported_and_power_has_a_line(page: Page, grid: Grid) -> None:
    substation = grid.substations[2]
    reported_limit = slot(page, "substation3", "limit")
    expect(slot(page, "substation3", "power")).to_have_text(re.compile(r"of 600 kW$"))
    expect(reported_limit).to_be_hidden()
    eventually(lambda: limits_known(grid, 600.0), 5)

    requests.put(f"{substation.url}/power-limit", json={"power_limit_kw": 140}, timeout=5)

    expect(slot(page, "substation3", "power")).to_have_text("140 of 140 kW")
    expect(reported_limit).to_have_text(
        re.compile(r"^Limit lowered from 600 to 140 kW at \d\d:\d\d:\d\d$")
    )
    heights = page.locator(".card").last.evaluate(
        """(card) => ["line", "limit", "area"].map((part) =>
          card.querySelector(`.spark-${part}`).getBoundingClientRect().height)"""
    )
    assert min(heights) > 5

    requests.put(f"{substation.url}/power-limit", json={"power_limit_kw": 600}, timeout=5)
    expect(reported_limit).to_contain_text("Limit raised from 140 to 600 kW at ")


def test_a_limit_that_is_lowered_for_less_than_a_second_is_reported_all_the_same(
    page: Page,
) -> None:
    change = page.evaluate(
        """async () => {
          const { History } = await import("/control-room/history.js");
          const history = new History();
          const see = (at, limit) => history.add(at, [{ name: "a", health: "up", load: 1,
            power_kw: 50, power_limit_kw: limit }]);
          see(0, 600); see(1000, 600); see(1400, 140); see(1800, 600); see(2200, 600);
          return history.limitChange("a");
        }"""
    )

    assert change == {"from": 140, "to": 600, "at": 1800}


def limits_known(grid: Grid, limit_kw: float) -> None:
    limits = [
        substation["power_limit_kw"][-1] for substation in grid.get("/history")["substations"]
    ]
    assert limit_kw in limits


def test_the_history_joins_what_the_balancer_kept_and_what_the_page_saw(page: Page) -> None:
    lines, span, change, none = page.evaluate(
        """async () => {
          const { History } = await import("/control-room/history.js");
          const history = new History();
          const substation = (load, limit) => ({ name: "a", health: "up", load,
            power_kw: load * 50, power_limit_kw: limit });
          const kept = { age_s: 0.5, interval_s: 1, substations: [{ name: "a",
            load: [null, 1, 1, null, 3], power_kw: [null, 50, 50, null, 150],
            power_limit_kw: [null, 200, 200, null, 80] }] };
          const none = new History();
          none.begin({ age_s: 0, interval_s: 1, substations: [] }, 100000);
          history.add(100000, [substation(9, 80)]);  // the balancer knows it better
          history.begin(kept, 100600);
          history.add(100700, [substation(4, 80)]);
          history.begin({ ...kept, age_s: 0 }, 140000);  // the page was hidden for a while
          history.add(140500, [substation(5, 80)]);
          const lines = history.line("load", "a");
          return [lines.map((piece) => piece.map(({ at, value }) => [at, value])),
            history.span(141000), history.limitChange("a"), none.samples.length];
        }"""
    )
    assert none == 0
    assert lines == [
        [[97100, 1], [98100, 1]],
        [[100100, 3], [100700, 4]],
        [[137000, 1], [138000, 1]],
        [[140000, 3], [140500, 5]],
    ]
    assert span == 60_000
    assert change == {"from": 200, "to": 80, "at": 140000}


def test_a_name_that_changes_is_shown(page: Page) -> None:
    def rename(grid: dict[str, Any]) -> None:
        grid["substations"][0]["name"] = "north"

    with reported(page, rename):
        expect(slot(page, "north", "name")).to_have_text("north")
    expect(slot(page, "substation1", "name")).to_have_text("substation1")
