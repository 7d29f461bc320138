"""The control room's sessions, totals and drains, over a real grid with a long ledger."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import psutil
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.ledger import now_us
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.record import Begin, End, State
from charge_request_service.sessions.store import Store
from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.e2e.local.control_room import card, opened, slot
from tests.e2e.local.page_checks import contrast_faults, structure_faults
from tests.support.deadline import eventually
from tests.support.memory import family
from tests.support.session_rows import a_begin

FINISHED = 10_000
RUNNING = 40
SHOWN = 25
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def whole_grid(start_shared_grid: StartGrid, tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """A grid of 24 points whose ledger has 10,000 finished sessions, of a minute ago."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite'}"
    fill(url)
    return start_shared_grid(gateway_env={"LEDGER_URL": url})


@pytest.fixture
def page(context: BrowserContext, grid: Grid) -> Iterator[Page]:
    with opened(context, grid.url) as page:
        expect(page.locator(".card")).to_have_count(3)
        yield page


@pytest.fixture(autouse=True)
def left_as_it_was(whole_grid: Grid) -> Iterator[None]:
    """Whatever a test left running is stopped, whatever it drained gets vehicles again."""
    yield
    url = whole_grid.url
    for session in requests.get(f"{url}/sessions?state=open", timeout=10).json()["sessions"]:
        requests.delete(f"{url}/sessions/{session['session_id']}", timeout=20)
    for substation in whole_grid.substations:
        requests.delete(f"{url}/substations/{substation.name}/drain", timeout=10)


@pytest.fixture
def running(grid: Grid) -> list[str]:
    """Sessions that go on by themselves for minutes, more than there are points."""
    return [begin(grid, f"EV-{number}") for number in range(RUNNING)]


def fill(url: str) -> None:
    """Write finished sessions; every hundredth was refused."""
    where = read_ledger_url(url)
    prepare(where)
    database = Database(where)
    start_us = now_us() - 60_000_000
    begins = [finished(start_us + 1000 * number, number) for number in range(FINISHED)]
    with database.writer("filled") as connection:
        Store(database.dialect).write(connection, [*begins, *map(ended, begins)])
        connection.commit()
    database.close()


def finished(began_us: int, number: int) -> Begin:
    return a_begin(vehicle_id=f"EV-old-{number}", kwh=1.0, began_us=began_us, gateway="filled")


def ended(begin: Begin) -> End:
    if int((begin.vehicle_id or "").rpartition("-")[2]) % 100 == 0:
        return End(begin.session_id, State.REFUSED, begin.began_us + 1, reason="no point in time")
    return End(
        begin.session_id,
        State.CHARGED,
        begin.began_us + 1_000_000,
        substation="substation1",
        attempts=1,
        waited_s=0.0,
        charging_s=1.0,
        energy_kwh=1.0,
    )


def begin(grid: Grid, vehicle: str, kwh: float = 1000) -> str:
    answer = requests.post(
        f"{grid.url}/charge", json={"vehicle_id": vehicle, "kwh": kwh}, headers=ASYNC, timeout=20
    )
    assert answer.status_code == 202, answer.text
    session_id: str = answer.json()["session_id"]
    return session_id


def session(grid: Grid, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{grid.url}/sessions/{session_id}", timeout=10).json()
    return found


def row(page: Page, session_id: str) -> Any:
    return page.locator(f'#sessions tr[data-session="{session_id}"]')


def show_sessions(page: Page) -> None:
    page.locator("#sessions-panel").scroll_into_view_if_needed()


def asked_within(page: Page, milliseconds: int, path: str) -> list[str]:
    asked: list[str] = []

    def note(request: Any) -> None:
        if path in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.wait_for_timeout(milliseconds)
    page.remove_listener("request", note)
    return asked


def test_a_long_ledger_is_shown_by_pages_and_asked_for_only_where_it_is_seen(
    page: Page, running: list[str]
) -> None:
    sizes: list[int] = []
    page.on(
        "response",
        lambda one: sizes.append(len(one.body())) if "/sessions?" in one.url else None,
    )
    page.evaluate("scrollTo(0, 0)")
    page.set_viewport_size({"width": 1280, "height": 400})
    page.wait_for_timeout(500)
    assert asked_within(page, 2500, "/sessions") == []  # nobody sees them

    page.set_viewport_size({"width": 1280, "height": 900})
    show_sessions(page)
    expect(page.locator("#sessions tr")).to_have_count(SHOWN)
    newest = running[-1]
    expect(row(page, newest)).to_contain_text(f"EV-{RUNNING - 1}")
    expect(row(page, running[-SHOWN])).to_have_count(1)
    asked = asked_within(page, 4500, "/sessions")
    assert 1 <= len(asked) <= 3
    assert all("limit=25" in url and "state=open" in url for url in asked)

    page.get_by_role("button", name="Older").click()
    expect(page.locator("#sessions tr")).to_have_count(RUNNING - SHOWN)
    expect(page.locator("#sessions-page")).to_have_text("page 2")
    expect(page.get_by_role("button", name="Older")).to_have_attribute("aria-disabled", "true")
    expect(row(page, running[0])).to_contain_text(
        re.compile(r"Charging.*of 1,000 kWh.*kW", re.DOTALL)
    )
    page.get_by_role("button", name="Newer").click()
    expect(row(page, newest)).to_have_count(1)

    page.get_by_label("Show").select_option("all")
    expect(page.locator("#sessions tr")).to_have_count(SHOWN)
    for _ in range(3):
        before = page.locator("#sessions tr").first.get_attribute("data-session")
        page.get_by_role("button", name="Older").click()
        expect(page.locator("#sessions tr").first).not_to_have_attribute(
            "data-session", before or ""
        )
    expect(page.locator("#sessions tr")).to_have_count(SHOWN)
    expect(page.locator("#sessions [data-state=charged]").first).to_contain_text("1 of 1 kWh")
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    assert sizes
    assert max(sizes) < 20_000

    page.get_by_label("of vehicle").fill("EV-old-17")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#sessions tr")).to_have_count(1)
    expect(page.locator("#sessions tr")).to_contain_text("EV-old-17")
    page.get_by_label("of vehicle").fill("not a vehicle")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#sessions-fault")).to_contain_text("not live")


def test_totals_of_the_day_are_those_of_the_ledger(page: Page, grid: Grid) -> None:
    expect(page.locator("#today-since")).to_have_text(re.compile(r"^Since \d\d:\d\d$"))
    totals = requests.get(f"{grid.url}/totals", timeout=10).json()

    if totals["vehicles"] < FINISHED:
        pytest.skip("the day has just begun")
    assert totals["refused"] == FINISHED // 100
    assert totals["energy_kwh"] >= FINISHED - FINISHED // 100
    assert totals["complete"]
    expect(page.locator("#today-refused")).to_have_text("100")
    expect(page.locator("#today-vehicles")).to_have_text(re.compile(r"^10,\d\d\d$"))
    expect(page.locator("#today-energy")).to_have_text(re.compile(r"^\d+,\d\d\d kWh$"))
    expect(page.locator("#today-fault")).to_be_hidden()


def test_a_session_is_stopped_from_the_list_once_that_is_confirmed(page: Page, grid: Grid) -> None:
    session_id = begin(grid, "EV-stop")
    show_sessions(page)
    button = page.get_by_role("button", name="Stop EV-stop")
    expect(row(page, session_id)).to_contain_text("Charging")
    expect(row(page, session_id)).to_contain_text(
        re.compile(r"[45]\d(\.\d)? kW.*in \d+ (s|min)", re.DOTALL)
    )

    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop the charge of EV-stop?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert structure_faults(page) == []
    assert contrast_faults(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert session(grid, session_id)["state"] == "charging"

    button.click()
    dialog.get_by_role("button", name="Stop the charge").click()

    expect(dialog).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text(
        re.compile(r"^EV-stop is stopped, with [\d.]+ kWh$")
    )
    expect(row(page, session_id)).to_have_count(0)  # it runs no more
    assert session(grid, session_id)["state"] == "stopped"


def test_a_sessions_panel_shows_its_legs_and_its_decisions_and_has_an_address(
    page: Page, grid: Grid
) -> None:
    begin(grid, "EV-panel")
    show_sessions(page)

    page.locator("#sessions").get_by_role("link", name="EV-panel").click()

    dialog = page.get_by_role("dialog", name="Session of EV-panel")
    expect(dialog).to_contain_text("of 1,000 kWh")
    expect(dialog.locator(".facts")).to_contain_text(
        re.compile(r"Charging.*substation\d.*50 kW", re.DOTALL)
    )
    expect(dialog.locator("[data-slot=legs] tr")).to_have_count(1)
    expect(dialog.locator("[data-slot=decisions] tr")).to_have_count(1)
    expect(dialog.locator("[data-slot=decisions]")).to_contain_text("with a free point")
    before = dialog.locator("[data-slot=energy]").first.inner_text()
    expect(dialog.locator("[data-slot=energy]").first).not_to_have_text(before)  # it is live
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert contrast_faults(page) == []
    assert structure_faults(page) == []

    page.reload()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Stop the charge").click()
    question = page.get_by_role("dialog", name="Stop the charge of EV-panel?")
    question.get_by_role("button", name="Stop the charge").click()
    expect(dialog.locator(".facts")).to_contain_text("stopped by its caller")
    assert asked_within(page, 2500, "/sessions/") == []  # it changes no more
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(page).to_have_url(re.compile(r"^[^#]+$"))


def test_a_substation_is_drained_and_undrained(page: Page, grid: Grid) -> None:
    vehicle = begin(grid, "EV-stays", kwh=60)  # twelve seconds
    eventually(state_is(grid, vehicle, "charging"), within_s=5)
    name = session(grid, vehicle)["substation"]

    expect(slot(page, name, "own")).to_have_text("1")
    page.get_by_role("button", name=f"Drain {name}").click()
    dialog = page.get_by_role("dialog", name=f"Drain {name}?")
    expect(dialog).to_contain_text("It finishes the 1 vehicle there")
    dialog.get_by_role("button", name="Drain", exact=True).click()

    expect(slot(page, name, "health")).to_have_text("Draining")
    expect(slot(page, name, "reason")).to_have_text("drained by an operator")
    expect(slot(page, name, "todo")).to_have_text("Wait: 1 vehicle still charges there.")
    assert page.locator(".card [data-slot=name]").first.inner_text() == name  # needs attention
    others = [begin(grid, f"EV-other-{number}") for number in range(8)]
    for other in others:
        eventually(state_is(grid, other, "charging"), within_s=5)
        assert session(grid, other)["substation"] != name
    eventually(state_is(grid, vehicle, "charged"), within_s=30)  # it was let finish
    expect(slot(page, name, "todo")).to_have_text("It is empty: do the work, then undrain it.")
    [reported] = [one for one in grid.get("/substations")["substations"] if one["name"] == name]
    assert (reported["drained"], reported["health"]) == (True, "draining")
    metrics = grid.balancer.get("/metrics", timeout_s=5).decode()
    assert f'balancer_substation_drained{{substation="{name}"}} 1.0' in metrics
    log = (grid.folder / "load_balancer.log").read_text()
    assert any("substation drained" in line and name in line for line in log.splitlines())

    page.get_by_role("button", name=f"Undrain {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Undrain").click()
    expect(slot(page, name, "health")).to_have_text("Up")
    expect(slot(page, name, "advice")).to_be_hidden()


def test_a_substation_that_is_down_says_what_to_do(page: Page, grid: Grid) -> None:
    grid.substations[1].kill()

    expect(slot(page, "substation2", "todo")).to_have_text(
        "Start it: nothing is listening at its address."
    )
    expect(slot(page, "substation2", "look")).to_contain_text("the log of substation2")
    expect(card(page, "substation1").locator("[data-slot=advice]")).to_be_hidden()
    assert contrast_faults(page) == []


def test_with_the_balancer_down_the_ledger_is_shown_all_the_same(page: Page, grid: Grid) -> None:
    show_sessions(page)
    page.get_by_label("Show").select_option("charged")
    expect(page.locator("#sessions tr")).to_have_count(SHOWN)

    grid.balancer.kill()

    expect(page.locator("#link-text")).to_have_text("Not live")
    page.get_by_label("Show").select_option("refused")
    expect(page.locator("#sessions tr").first).to_contain_text("Refused")
    expect(page.locator("#sessions-fault")).to_be_empty()
    page.get_by_role("button", name="Drain substation1").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "The balancer cannot be reached"
    )
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    grid.balancer.start()


def test_with_the_ledger_away_the_grid_is_shown_all_the_same(page: Page) -> None:
    why = {"detail": "The ledger of sessions cannot be used now (it is locked)."}
    for path in ("**/sessions?*", "**/totals"):
        page.route(path, lambda route: route.fulfill(status=503, json=why))
    page.reload()
    show_sessions(page)

    expect(page.locator("#sessions-fault")).to_have_text(
        "Sessions are not live. The ledger of sessions cannot be used now (it is locked).",
    )
    expect(page.locator("#today-fault")).to_contain_text("it is locked")
    expect(page.locator("#link-text")).to_contain_text("Live")
    assert structure_faults(page) == []
    page.unroute_all(behavior="wait")
    expect(page.locator("#sessions-fault")).to_be_empty()


@pytest.mark.usefixtures("running")
def test_it_fits_a_phone_and_reads_in_both_schemes(browser: Browser, grid: Grid) -> None:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(grid.url)
    show_sessions(page)
    expect(page.locator("#sessions tr")).to_have_count(SHOWN)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= PHONE["width"]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert contrast_faults(page) == []
    assert structure_faults(page) == []
    page.locator("#sessions a").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("of 1,000 kWh")
    assert page.evaluate(width) <= PHONE["width"]
    context.close()


def state_is(grid: Grid, session_id: str, state: str) -> Callable[[], None]:
    def check() -> None:
        found = session(grid, session_id)
        assert found["state"] == state, found

    return check


@pytest.mark.usefixtures("running")
def test_the_list_of_a_long_ledger_is_answered_at_once(grid: Grid) -> None:
    # By the gateway's own CPU time: how long it waits for a CPU tells nothing of the list.
    gateway = [psutil.Process(pid) for pid in family(grid.gateway.pid)]

    def cpu_s() -> float:
        times = [process.cpu_times() for process in gateway]
        return sum(one.user + one.system for one in times)

    took = []
    for query in ("state=open&limit=25", "limit=25", "state=refused&limit=25"):
        for _ in range(5):
            began = cpu_s()
            answer = requests.get(f"{grid.url}/sessions?{query}", timeout=10)
            took.append(cpu_s() - began)
            assert len(answer.json()["sessions"]) == SHOWN
    assert sorted(took)[len(took) // 2] < 0.25
