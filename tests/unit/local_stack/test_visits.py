"""Sessions read from a substation's log."""

import json
from pathlib import Path

from local_stack.visits import Visit, visits


def test_sessions_are_read_from_a_log_also_when_its_last_line_is_cut_off(tmp_path: Path) -> None:
    line = {
        "event": "session ended",
        "session_id": "s-1",
        "vehicle_id": "ev-000001",
        "kwh": 6.0,
        "delivered_kwh": 6.0,
        "outcome": "charged",
        "charging_s": 1.5,
        "time": "2026-11-20T05:00:02.500000Z",
    }
    aborted = {**line, "vehicle_id": "ev-000002", "outcome": "aborted"}
    log = tmp_path / "site.log"
    log.write_text(
        "\n".join(
            [
                json.dumps({"event": "something else"}),
                json.dumps(line),
                "[] no event",
                json.dumps(aborted),
                json.dumps(line)[:40],
            ]
        )
    )

    first, second = visits(log)

    assert first == Visit("s-1", "charged", 6.0, second.began, second.ended, "ev-000001", 6.0)
    assert first.charged
    assert first.ended - first.began == 1.5
    assert not second.charged
