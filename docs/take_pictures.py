"""Takes the screenshots of the control room: `python docs/take_pictures.py`.

They show real grids with real rush hours, a substation that is killed, and a limit that is lowered.
It takes about three minutes and needs Chromium; with the font Inter installed they look as in the
README.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Final

import requests
from playwright.sync_api import Browser, Page, ViewportSize, expect

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
DESK: Final[ViewportSize] = {"width": 1360, "height": 900}
PHONE: Final[ViewportSize] = {"width": 360, "height": 780}
MANY_POINTS = (4, 8, 12, 6, 10, 4, 8, 16, 6, 12, 4, 60)


def main() -> int:
    """Take all screenshots, and print where they are."""
    sys.path.insert(0, str(ROOT))  # run as a file, the path begins with docs/
    from tests.e2e.local.chromium import find_chromium, open_chromium

    program = find_chromium()
    if program is None:
        sys.stderr.write("take_pictures: no Chromium is installed\n")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with open_chromium(program) as browser:
        take_three(browser)
        take_twelve(browser)
    return 0


def take_three(browser: Browser) -> None:
    """Take the grid as it comes: idle, in a rush hour, and with one substation down."""
    from local_stack.grid import Grid, Ports

    with (
        tempfile.TemporaryDirectory() as folder,
        Grid(Path(folder), ports=Ports.free(3)) as grid,
    ):
        desk = open_page(browser, grid.url, DESK, 3)
        phone = open_page(browser, grid.url, PHONE, 3)
        desk.wait_for_timeout(20_000)
        take(desk, "idle")

        start_rush_hour(desk, vehicles=190, over_s=40)
        desk.wait_for_timeout(20_000)  # the middle: most points are taken
        for _ in range(2):
            send("POST", f"{grid.substations[2].url}/charge", kwh=60)  # foreign load
        desk.wait_for_timeout(2000)
        take(desk, "busy")
        desk.emulate_media(color_scheme="dark")
        take(desk, "dark")
        desk.emulate_media(color_scheme="light")
        take(phone, "phone", full_page=False)
        desk.locator("#sessions a").first.click()
        desk.wait_for_timeout(1500)
        take(desk, "session", full_page=False)
        desk.keyboard.press("Escape")

        grid.substations[1].kill()
        expect(desk.locator('.card[data-health="down"]')).to_have_count(1)
        desk.wait_for_timeout(4000)
        take(desk, "degraded")


def take_twelve(browser: Browser) -> None:
    """Take twelve substations, of which one is down and one has its limit lowered."""
    from local_stack.grid import Grid, Ports

    with (
        tempfile.TemporaryDirectory() as folder,
        Grid(
            Path(folder),
            points=MANY_POINTS,
            ports=Ports.free(len(MANY_POINTS)),
            env={"TIME_SCALE": "60"},
        ) as grid,
    ):
        desk = open_page(browser, grid.url, DESK, len(MANY_POINTS))
        for number in range(100):
            send("POST", f"{grid.url}/charge", kwh=8 + number % 30)
            desk.wait_for_timeout(150)
        send("PUT", f"{grid.substations[2].url}/power-limit", power_limit_kw=240)
        desk.wait_for_timeout(8000)
        grid.substations[6].kill()
        expect(desk.locator('.card[data-health="down"]')).to_have_count(1)
        desk.wait_for_timeout(3000)
        take(desk, "twelve")


def open_page(browser: Browser, url: str, viewport: ViewportSize, substations: int) -> Page:
    """Open the control room in a new window."""
    page = browser.new_context(viewport=viewport, reduced_motion="reduce").new_page()
    page.goto(url)
    expect(page.locator('.card[data-health="up"]')).to_have_count(substations)
    return page


def start_rush_hour(page: Page, *, vehicles: int, over_s: int) -> None:
    """Fill the form in and send it, as an operator would."""
    page.get_by_role("textbox", name="Vehicles").fill(str(vehicles))
    page.get_by_role("textbox", name="Seconds").fill(str(over_s))
    page.get_by_role("button", name="Start").click()
    page.mouse.move(0, 0)
    expect(page.locator("#rush-summary")).to_contain_text("Running")


def send(method: str, url: str, **document: Any) -> None:
    """Send a request and do not wait for its answer."""

    def ask() -> None:
        with suppress(requests.RequestException):  # the grid may end before the answer comes
            requests.request(method, url, json=document, timeout=60)

    Thread(target=ask, daemon=True).start()


def take(page: Page, name: str, *, full_page: bool = True) -> None:
    """Take one picture of the page, or of what its window shows."""
    path = IMAGES / f"control-room-{name}.png"
    if full_page:
        # Sessions are asked for while they can be seen.
        page.locator("#sessions-panel").scroll_into_view_if_needed()
        page.wait_for_timeout(2500)
        page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path, full_page=full_page)
    sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    sys.exit(main())
