import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.logs import service_log

FORGED = 'EV"\n{"level":"error","event":"forged"}\r\n\x1b[31m\u2028'


def test_a_line_is_one_json_object_whatever_a_value_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    service_log("gateway", log_format="json").info("answered", vehicle_id=FORGED)

    [line, _] = capsys.readouterr().out.split("\n")
    event = json.loads(line)
    assert event["vehicle_id"] == FORGED
    assert event["event"] == "answered"
    assert event["service"] == "gateway"
    assert event["level"] == "info"
    assert event["time"].endswith("Z")


def test_nothing_forges_a_line_at_a_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    service_log("gateway", log_format="console").info("answered", vehicle_id=FORGED)

    [line, _] = capsys.readouterr().out.split("\n")
    assert "forged" in line
    assert "\\x1b[31m" in line  # shown, not obeyed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_that_cannot_be_written_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - it cannot be closed well
    monkeypatch.setattr(sys, "stdout", full)

    log = service_log("gateway", log_format=log_format)
    for _ in range(1000):  # beyond what a buffer holds back
        log.info("answered", vehicle_id="EV-1")

    with suppress(OSError):
        full.close()


def test_events_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log = service_log("gateway", log_format="json", log_level="warning")

    log.info("quiet")
    log.warning("loud")

    assert "quiet" not in capsys.readouterr().out
