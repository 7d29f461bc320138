import json
from pathlib import Path

from benchmarks.side_by_side.visits import Visit, visits


def test_sessions_are_read_from_a_log_also_when_its_last_line_is_cut_off(tmp_path: Path) -> None:
    line = {
        "event": "session ended",
        "vehicle_id": "ev-000001",
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

    assert first == Visit("ev-000001", True, second.began, second.ended)
    assert first.ended - first.began == 1.5
    assert not second.charged
