import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings

FORGED = 'EV"\n{"level":"error","event":"forged"}\r\n\x1b[31m\u2028'


def settings(log_format: str, level: str = "info") -> ServiceSettings:
    return ServiceSettings.model_validate({"port": 0, "log_format": log_format, "log_level": level})


def test_a_line_is_one_json_object_whatever_a_value_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("gateway", settings("json")).info("answered", vehicle_id=FORGED)

    [line, _] = capsys.readouterr().out.split("\n")
    event = json.loads(line)
    assert event["vehicle_id"] == FORGED
    assert event["event"] == "answered"
    assert event["service"] == "gateway"
    assert event["level"] == "info"
    assert event["time"].endswith("Z")


def test_nothing_forges_a_line_at_a_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("gateway", settings("console")).info("answered", vehicle_id=FORGED)

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

    log = configure_logs("gateway", settings(log_format))
    for _ in range(1000):  # beyond what a buffer holds back
        log.info("answered", vehicle_id="EV-1")

    with suppress(OSError):
        full.close()


def test_events_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logs("gateway", settings("json", "warning"))

    log.info("quiet")
    log.warning("loud")

    assert "quiet" not in capsys.readouterr().out
