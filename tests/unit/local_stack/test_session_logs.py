"""Sessions read from a substation's log."""

import json
from pathlib import Path

from local_stack.session_logs import Attempt, attempts, peak_load

ENDED = {
    "event": "session ended",
    "session_id": "s-1",
    "vehicle_id": "ev-000001",
    "kwh": 6.0,
    "delivered_kwh": 6.0,
    "outcome": "charged",
    "charging_s": 1.5,
    "time": "2026-11-20T05:00:02.500000Z",
}


def test_sessions_are_read_from_a_log_also_when_its_last_line_is_cut_off(tmp_path: Path) -> None:
    aborted = {**ENDED, "vehicle_id": "ev-000002", "outcome": "aborted"}
    log = tmp_path / "substation.log"
    log.write_text(
        "\n".join(
            [
                json.dumps({"event": "something else"}),
                json.dumps(ENDED),
                "[] no event",
                json.dumps(aborted),
                json.dumps(ENDED)[:40],
            ]
        )
    )

    first, second = attempts(log)

    assert first == Attempt("s-1", "charged", 6.0, second.began, second.ended, "ev-000001", 6.0)
    assert first.charged
    assert first.ended - first.began == 1.5
    assert not second.charged


def cut_off(delivered_kwh: float, energy_kwh: float) -> str:
    return json.dumps(
        {
            "event": "session cut off by a restart",
            "session_id": "s-1",
            "vehicle_id": "ev-000001",
            "kwh": 6.0,
            "delivered_kwh": delivered_kwh,
            "energy_kwh": energy_kwh,
            "time": "2026-11-20T05:00:02.500000Z",
        }
    )


def test_a_session_cut_off_by_a_restart_is_an_attempt_too() -> None:
    (one,) = attempts(cut_off(2.5, 3.5))

    assert (one.outcome, one.delivered_kwh, one.energy_kwh) == ("cut off", 2.5, 3.5)
    assert not one.charged


def test_what_was_cut_off_counts_once_though_the_next_start_logs_it_again() -> None:
    log = "\n".join([cut_off(2.5, 2.5), cut_off(2.5, 2.5), cut_off(1.0, 3.5)])

    assert [one.delivered_kwh for one in attempts(log)] == [2.5, 1.0]


def test_what_a_session_got_before_its_logged_end_is_not_cut_off_though_a_start_logs_it() -> None:
    ended = json.dumps({**ENDED, "time": "2026-11-20T05:00:02.400000Z"})

    (one,) = attempts("\n".join([ended, cut_off(4.5, 4.5)]))

    assert one.charged


def stays(*times: tuple[float, float]) -> list[Attempt]:
    return [Attempt("s", "charged", 6.0, began, ended, "ev", 6.0) for began, ended in times]


def test_a_peak_is_counted_but_not_where_log_lines_merely_blur() -> None:
    assert peak_load(stays((0.0, 1.0), (0.5, 1.5), (0.9, 2.0))) == 3
    assert peak_load(stays((0.0, 1.0), (0.999, 2.0))) == 1
    assert peak_load(stays((0.0, 1.0), (0.995, 2.0))) == 2
    assert peak_load(stays((0.0, 1.0), (0.995, 2.0)), blur_s=0.005) == 1
    assert peak_load([]) == 0
