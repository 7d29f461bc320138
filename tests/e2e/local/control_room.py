"""Helpers for tests of the control room: find its parts, and change the responses that it gets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Error, Locator, Page, Route

# Where a line of text ends although no space stands there, and what comes before and after.
_BREAKS = """(root) => {
  const breaks = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let before = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (let index = 0; index < node.length; index += 1) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + 1);
      const [box] = range.getClientRects();
      const character = node.data[index];
      if (!box) continue;
      if (before && box.top > before.top + 4 && !/\\s/.test(before.character + character))
        breaks.push([before.character, character]);
      before = { character, top: box.top };
    }
  return breaks;
}"""


@contextmanager
def opened(context: BrowserContext, url: str) -> Iterator[Page]:
    """Open the control room; whatever the page throws fails the test."""
    thrown: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: thrown.append(str(error)))
    go(page, url)
    yield page
    page.close()
    assert thrown == []


def go(page: Page, url: str, tries: int = 5) -> None:
    """Open a page, again where Chromium broke it off because a network of the machine changed.

    Those of containers do whenever one comes or goes.
    """
    try:
        page.goto(url)
    except Error as error:
        if "net::ERR_NETWORK_CHANGED" not in error.message or tries == 1:
            raise
        go(page, url, tries - 1)


def card(page: Page, substation: str) -> Locator:
    return page.locator(f'.card[data-substation="{substation}"]')


def slot(page: Page, substation: str, name: str) -> Locator:
    return card(page, substation).locator(f'[data-slot="{name}"]')


def order(page: Page) -> list[str]:
    """List the cards by the names on them, first to last."""
    return page.locator(".card [data-slot=name]").all_inner_texts()


def breaks_within_words(element: Locator) -> list[list[str]]:
    """List where lines of text end within a word: the characters on both sides."""
    found: list[list[str]] = element.evaluate(_BREAKS)
    return found


@contextmanager
def reported(page: Page, edit: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    """Have the page see what the balancer says of the grid as `edit` changes it."""

    def answer(route: Route) -> None:
        grid = route.fetch().json()
        edit(grid)
        route.fulfill(json=grid)

    page.route("**/substations", answer)
    try:
        yield
    finally:
        page.unroute_all(behavior="wait")


def many(count: int) -> Callable[[dict[str, Any]], object]:
    """Make so many substations of the first one, each with its own name, address and load."""

    def edit(grid: dict[str, Any]) -> None:
        first = grid["substations"][0]
        grid["substations"] = [
            {
                **first,
                "name": f"substation{number}",
                "address": f"http://10.0.0.{number}:5002",
                "load": number % 5,
                "own_load": number % 5,
            }
            for number in range(1, count + 1)
        ]

    return edit
