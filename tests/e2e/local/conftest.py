"""A browser for the tests of the control room."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.local.chromium import find_chromium, open_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    with open_chromium(program) as browser:
        yield browser
