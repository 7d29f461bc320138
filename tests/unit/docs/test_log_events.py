"""docs/operations.md explains every event that a service logs."""

import re

from local_stack.process import ROOT

_PACKAGES = ("charge_request_service", "grid_common", "load_balancer", "substation_service")
# A literal event at a level that is logged by default; gunicorn's own lines have placeholders.
_LOGGED = re.compile(r"log\.(?:info|warning|error|critical|exception)\(\s*\"([^\"%]+)\"")


def logged() -> set[str]:
    files = [file for package in _PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {event for file in files for event in _LOGGED.findall(file.read_text(encoding="utf-8"))}


def explained() -> set[str]:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| event | service | meaning |\n")
    rows = table.partition("\n\n")[0].splitlines()
    return {event for row in rows for event in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_the_operations_page_explains_every_event() -> None:
    # An event may end with a colon and what follows from it.
    events = {event.partition(":")[0] for event in logged()}

    assert {"failover", "session ended", "answered"} <= events
    assert events - explained() == set()
