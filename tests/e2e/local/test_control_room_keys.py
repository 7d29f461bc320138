"""The control room of a gateway that takes API keys, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.e2e.local.control_room import go
from tests.e2e.local.page_checks import contrast_faults, structure_faults
from tests.support.api_keys import add_key
from tests.support.deadline import eventually


@pytest.fixture(scope="module")
def key_and_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    file = tmp_path_factory.mktemp("keys") / "api_keys.txt"
    return add_key(file, "control-room"), file


@pytest.fixture(scope="module")
def guarded(start_shared_grid: StartGrid, key_and_file: tuple[str, Path]) -> Grid:
    keys = {"CHARGE_API_KEYS_FILE": str(key_and_file[1])}
    return start_shared_grid(env={"TIME_SCALE": "3600"}, gateway_env=keys)


def test_the_page_asks_for_the_key_once_and_all_of_it_works_with_it(
    browser: Browser, guarded: Grid, key_and_file: tuple[str, Path]
) -> None:
    key, _ = key_and_file
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    go(page, guarded.url)
    entry = page.get_by_label("API key")

    expect(entry).to_be_focused()
    expect(page.locator("#link-text")).to_have_text("Needs an API key")
    expect(page.locator("#key-fault")).to_be_empty()
    assert structure_faults(page) == []
    assert contrast_faults(page) == []
    _rests(page)

    entry.fill("wrong")
    entry.press("Enter")
    expect(page.locator("#key-fault")).to_contain_text("unknown or was revoked")
    entry.fill("no key at all")
    entry.press("Enter")
    expect(page.locator("#key-fault")).to_contain_text("one word")

    entry.fill(key)
    entry.press("Enter")
    expect(page.locator("#link-text")).to_contain_text("Live")
    expect(entry).to_have_count(0)
    expect(page.locator(".card")).to_have_count(3)

    page.get_by_role("textbox", name="Vehicle", exact=True).fill("EV-key")
    page.get_by_role("button", name="Charge", exact=True).click()
    expect(page.locator("#charge-answer")).to_contain_text("EV-key charged 10 kWh")
    page.get_by_role("textbox", name="Vehicles", exact=True).fill("5")
    page.get_by_role("textbox", name="Seconds", exact=True).fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rush-summary")).to_contain_text("all 5 charged", timeout=20_000)

    page.locator("#sessions-panel").scroll_into_view_if_needed()
    page.get_by_label("Show").select_option("charged")
    expect(page.locator("#sessions tr").first).to_contain_text("10 of 10 kWh")
    expect(page.locator("#today-vehicles")).to_have_text("6", timeout=20_000)
    page.get_by_role("button", name="Drain substation1").click()  # its key is no operator's
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Drain", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("This requires an operator's key")
    page.keyboard.press("Escape")
    expect(page.locator('.card[data-health="up"]')).to_have_count(3)

    page.reload()  # the tab keeps it
    expect(page.locator(".card")).to_have_count(3)
    expect(entry).to_have_count(0)
    other = page.context.new_page()  # another does not
    go(other, guarded.url)
    expect(other.get_by_label("API key")).to_be_visible()
    assert thrown == []
    page.context.close()


def test_a_key_that_is_revoked_is_asked_for_again_and_tried_again_by_itself(
    browser: Browser, guarded: Grid, key_and_file: tuple[str, Path]
) -> None:
    key, file = key_and_file
    page = browser.new_context().new_page()
    page.clock.install()
    go(page, guarded.url)
    page.get_by_label("API key").fill(key)
    page.get_by_label("API key").press("Enter")
    expect(page.locator("#link-text")).to_contain_text("Live")

    lines = file.read_text()
    file.write_text(f"another:{'0' * 64}\n")

    expect(page.locator("#key-fault")).to_contain_text("unknown or was revoked")
    file.write_text(lines)

    def is_let_in() -> None:
        page.clock.fast_forward(30_000)
        page.wait_for_timeout(500)
        assert "Live" in page.locator("#link-text").inner_text()

    eventually(is_let_in, within_s=15)
    page.context.close()


def _rests(page: Page) -> None:
    """Hold the page to not asking on while it has no key: each call would be refused and logged."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert asked == []
