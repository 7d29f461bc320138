"""The load tester as a process against a grid that keeps the contract, and one that breaks it."""

import contextlib
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.support.deadline import eventually
from tests.unit.load_tester.conftest import LoadTest, Start, StartCounterpart

QUICK = ("--vehicles", "60", "--rate", "200", "--kwh", "5", "--arrivals", "even")
_INTERRUPTED = (130, "load_tester: interrupted\n")
CLOCK = ("--vehicles", "60", "--rate", "60", "--kwh", "5", "--arrivals", "even")


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in report["books"]["findings"]}


def test_a_sound_grid_charges_all_and_its_books_agree(load_test: LoadTest, tmp_path: Path) -> None:
    page, each = tmp_path / "page.html", tmp_path / "each.csv"
    outputs = ("--report", str(page), "--each", str(each))
    run = load_test(*QUICK, *outputs)
    assert run.status == 0, run.output
    assert run.report["vehicles"]["charged"] == 60
    assert run.report["answers"] == {"200": 60}
    assert verdicts(run.report) == dict.fromkeys(
        ["dispatches", "gateway", "sessions", "energy"], "ok"
    )
    choices = run.report["choices"]
    assert (choices["decisions"], choices["least_loaded"], choices["missed"]) == (60, 60, 0)
    assert {substation["name"] for substation in run.report["sites"]} == {
        "substation1",
        "substation2",
        "substation3",
    }
    assert sum(substation["counted"] for substation in run.report["sites"]) == 60
    assert "60 of 60 vehicles charged" in page.read_text()
    assert len(each.read_text().splitlines()) == 61
    assert run.output.rstrip().splitlines()[-2].endswith("60 of 60 vehicles charged")


def test_a_grid_that_stalls_cannot_hide_its_queue(load_test: LoadTest) -> None:
    # From the 20th vehicle on, 0.3 s after the start, nobody is answered for 1.5 s. Vehicles go on
    # arriving, and each of them waits from when it was due.
    run = load_test(*CLOCK, frozen_after=20, frozen_s=1.5, kwh_per_s=1e6)
    assert run.report["tester"]["lag_s"]["p99"] < 0.3, "the tester itself was slow"
    assert run.report["delay_s"]["max"] == pytest.approx(1.5, abs=0.3)
    assert run.report["delay_s"]["p50"] > 0.9  # the median vehicle came 0.2 s into the stall


def test_vehicles_arrive_whatever_is_still_charging(load_test: LoadTest) -> None:
    # Each charges for 1 s, all are sent within 1 s.
    run = load_test(*CLOCK, substations={"only": 100}, kwh_per_s=5.0)
    assert run.report["sites"][0]["peak_load"] > 50
    assert run.report["end_s"] < 10  # after each other they take 60 s


def test_callers_hold_one_vehicle_each(load_test: LoadTest) -> None:
    arguments = ("--concurrency=8", "--vehicles=80", "--kwh=5")
    run = load_test(*arguments, substations={"only": 100}, kwh_per_s=50.0)
    assert run.status == 0, run.output
    assert 4 < run.report["sites"][0]["peak_load"] <= 8
    assert 0.9 < run.report["end_s"] < 4  # ten after each other, 0.1 s each; one caller takes 8 s


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("refuse", "refused", "no point in time"),
        ("reject", "rejected", "kwh is wrong"),
        ("drop", "failed", "connection broken before the response"),
        ("half", "failed", "connection broken before the response"),
        ("garble", "failed", "the response is not HTTP"),
        ("other_vehicle", "failed", "the answer is for another vehicle, 'somebody-else'"),
    ],
)
def test_a_vehicle_that_the_grid_fails_is_lost_with_its_reason(
    load_test: LoadTest, fault: str, outcome: str, reason: str
) -> None:
    run = load_test(*QUICK, **{f"{fault}_every": 20})
    assert run.status == 1
    assert run.report["vehicles"][outcome] == run.report["vehicles"]["lost"] == 3
    (found,) = run.report["reasons"]
    assert found["reason"].startswith(reason)
    assert run.report["missed"] == ["3 vehicles lost; at most 0 may be"]
    assert run.report["books"]["in_order"], run.output


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        ("phantom", "sessions", "3 of 60 vehicles were answered as charged but no substation"),
        ("twice", "sessions", "3 more than 60 of this run: charged twice"),
    ],
)
def test_vehicles_not_charged_or_charged_twice_fail_a_run_that_answered_all(
    load_test: LoadTest, fault: str, check: str, words: str
) -> None:
    run = load_test(*QUICK, **{f"{fault}_every": 20})
    assert run.status == 1
    assert run.report["vehicles"]["charged"] == 60
    assert verdicts(run.report)[check] == "error"
    assert words in " ".join(finding["text"] for finding in run.report["books"]["findings"])


def test_lost_vehicles_and_books_can_be_let_pass(load_test: LoadTest) -> None:
    run = load_test(*QUICK, "--max-lost", "3", "--no-check", reject_every=20, phantom_every=30)
    assert run.status == 0, run.output
    assert run.report["books"]["findings"] == []


def test_others_on_the_grid_are_noted_and_no_error(load_test: LoadTest) -> None:
    run = load_test(*QUICK, guest_every=20)
    assert run.status == 0, run.output
    assert run.report["choices"]["foreign_sessions"] == 3
    assert verdicts(run.report)["others"] == "note"


def test_accepted_vehicles_are_not_lost(load_test: LoadTest) -> None:
    run = load_test(*QUICK, accept_every=2)
    assert run.status == 0, run.output
    assert (run.report["vehicles"]["accepted"], run.report["vehicles"]["lost"]) == (30, 0)


def test_a_gateway_that_knows_neither_keys_nor_sessions_is_tested_as_ever(
    load_test: LoadTest,
) -> None:
    run = load_test(*QUICK, "--idempotent", "--async", accept_every=3)
    assert run.status == 0, run.output
    assert run.report["answers"] == {"200": 40, "202": 20}
    assert (run.report["vehicles"]["charged"], run.report["vehicles"]["accepted"]) == (40, 20)
    assert {"ledger", "meters"}.isdisjoint(verdicts(run.report))


def test_a_key_that_is_not_heeded_shows_as_two_sessions(
    counterpart: StartCounterpart, load_test: LoadTest
) -> None:
    url = counterpart(half_late_every=10)
    assert load_test(*QUICK, "--patience", "10", url=url).status == 0
    run = load_test(*QUICK, "--idempotent", url=url)
    assert run.status == 1
    assert verdicts(run.report)["dispatches"] == "error"
    assert "vehicles were given two sessions" in run.output


def test_a_wrong_choice_is_found(load_test: LoadTest) -> None:
    run = load_test(*QUICK, choose="most")
    assert run.report["choices"]["not_least_loaded"] > 30
    assert run.report["choices"]["examples"][0]["chosen"] != "substation3"


def test_a_grid_without_decisions_and_substation_counters_can_still_be_tested(
    load_test: LoadTest,
) -> None:
    run = load_test(*QUICK, decisions=False, substation_metrics=False)
    assert run.status == 0, run.output
    assert run.report["choices"] == {"available": False, "reason": "/decisions answered 404"}
    assert verdicts(run.report) == {"gateway": "ok", "substations": "not checked"}
    assert "not reachable from here" in run.output


def test_substation_metrics_can_be_named(
    counterpart: StartCounterpart, load_test: LoadTest
) -> None:
    url = counterpart()
    pages = ",".join(f"{url}/substation{number}/metrics" for number in (1, 2))
    run = load_test(*QUICK, "--substation-metrics", pages, url=url)
    assert run.status == 1  # the third substation's vehicles are in no book that was named
    assert verdicts(run.report)["sessions"] == "error"


def test_patience_tries_again_after_a_refusal_and_counts_it(load_test: LoadTest) -> None:
    assert load_test(*QUICK, refuse_first=5).status == 1
    run = load_test(*QUICK, "--patience", "5", refuse_first=5)
    assert run.status == 0, run.output
    assert run.report["vehicles"]["retries"] == 5
    assert run.report["delay_s"]["max"] > 0.2  # Retry-After


def test_a_vehicle_is_refused_when_its_patience_ends(load_test: LoadTest) -> None:
    run = load_test(*QUICK, "--patience", "1.5", refuse_every=1)
    assert run.status == 1
    assert run.report["vehicles"]["refused"] == 60
    assert 60 <= run.report["vehicles"]["retries"] <= 60 * 7  # each 0.2 s at best


def test_patience_outlasts_a_gateway_that_is_away(load_test: LoadTest) -> None:
    run = load_test(*QUICK, "--patience", "10", drop_every=10)
    assert run.status == 0, run.output
    assert run.report["vehicles"]["retries"] >= 6


def test_a_vehicle_can_ask_to_wait_less(load_test: LoadTest) -> None:
    arguments = ("--vehicles=5", "--rate=100", "--kwh=10", "--wait=0.3")
    run = load_test(*arguments, substations={"only": 1}, kwh_per_s=10.0)
    assert run.report["vehicles"]["charged"] == 1
    assert run.report["reasons"] == [{"reason": "waited in vain", "vehicles": 4}]


def test_a_vehicle_without_an_answer_is_lost_after_its_timeout(load_test: LoadTest) -> None:
    arguments = ("--vehicles=4", "--rate=100", "--kwh=30", "--timeout=0.5")
    run = load_test(*arguments, substations={"only": 100}, kwh_per_s=1.0)
    assert run.status == 1
    assert run.report["reasons"] == [{"reason": "no response in time", "vehicles": 4}]
    assert run.report["end_s"] < 3


def wait_until_charged(url: str, vehicles: int) -> None:
    def check() -> None:
        page = requests.get(f"{url}/metrics", timeout=5).text
        counted = re.search(r'charge_requests_total.status="200". (\d+)', page)
        assert counted, page
        assert int(counted[1]) >= vehicles

    eventually(check, within_s=20)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_disconnects_and_still_reports(
    counterpart: StartCounterpart,
    start_load_test: Start,
    tmp_path: Path,
    number: signal.Signals,
    status: int,
) -> None:
    file = tmp_path / "result.json"
    url = counterpart(substations={"only": 5}, kwh_per_s=20.0)
    arguments = ("--vehicles", "2000", "--rate", "40", "--kwh", "5", "--json", str(file))
    process = start_load_test(*arguments, url=url)
    wait_until_charged(url, 20)  # by then others charge and wait
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == status, output
    report = json.loads(file.read_text())
    assert report["interrupted"]
    vehicles = report["vehicles"]
    assert vehicles["charged"] >= 20
    assert vehicles["cut_short"] > 0
    assert vehicles["lost"] == 0
    assert vehicles["sent"] + vehicles["unsent"] == 2000
    assert "interrupted" in output.rstrip().splitlines()[-1]


def test_stress_stops_sending_once_the_service_level_is_broken(load_test: LoadTest) -> None:
    # From the 70th vehicle on nobody is answered for 3 s.
    # The 48th to the 81st are due in the step at 33.75 a second.
    steps = ("--rate", "10", "--factor", "1.5", "--step", "1", "--max-rate", "200")
    run = load_test("stress", "--max-p99-delay", "2", *steps, frozen_after=70, frozen_s=3)
    assert run.status == 0, run.output
    assert run.report["stress"]["held"] == 22.5
    assert run.report["stress"]["broke"] == 33.75
    assert run.report["vehicles"]["unsent"] > 0


def test_a_missed_p99_is_exit_status_1(load_test: LoadTest) -> None:
    run = load_test(*QUICK, "--max-p99", "0.01")
    assert run.status == 1
    assert run.report["missed"][0].startswith("p99 time to charge ")


def test_a_trace_is_replayed(load_test: LoadTest, tmp_path: Path) -> None:
    trace = tmp_path / "sessions.csv"
    rows = [f"2024-05-01T10:{minute:02}:00Z,{1000 * (minute + 1)}" for minute in range(30)]
    trace.write_text("\n".join(["arrival,energy_wh", *rows, "never,0"]))
    run = load_test("--trace", str(trace), "--duration", "1")
    assert run.status == 0, run.output
    assert run.report["scenario"]["kwh"] == pytest.approx(sum(range(1, 31)))
    assert "1 row left out" in run.output


def test_the_json_may_go_to_stdout_with_the_tables_beside_it(start_load_test: Start) -> None:
    process = start_load_test(*QUICK, "--json", "-")
    output, _ = process.communicate(timeout=30)
    start = output.index("{\n")
    document, _ = json.JSONDecoder().raw_decode(output[start:])
    assert document["vehicles"]["charged"] == 60


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--url", f"http://127.0.0.1:{closed_port()}"), "connection refused; start the grid with"),
        (
            ("--url", f"http://127.0.0.1:{closed_port()}", "--wait-for-gateway", "0.1"),
            "connection refused; start the grid with `make run` or `docker compose up --wait`",
        ),
        (("--trace", "none.csv"), "none.csv: no such file or directory; give a CSV file"),
        (("--report", "no/such/folder/x.html"), "--report no/such/folder/x.html: no such file or"),
        (("stress", "--rate", "9", "--max-rate", "3"), "--max-rate 3: is below"),
    ],
)
def test_a_run_that_cannot_begin_says_why_with_status_2(
    start_load_test: Start,
    arguments: tuple[str, ...],
    fault: str,
) -> None:
    process = start_load_test(*arguments)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    said = output.rpartition("; waiting for it\n")[2]
    assert re.fullmatch(rf"load_tester: .*{re.escape(fault)}.*\n", said), output


def test_names_with_brackets_are_shown_as_they_are(load_test: LoadTest, tmp_path: Path) -> None:
    trace, page = tmp_path / "[n].csv", tmp_path / "[b].html"
    trace.write_text("arrival [/],kwh\n0,1\n1,1\n")
    arguments = ("--trace", str(trace), "--arrival-column", "arrival [/]", "--duration", "0.1")
    run = load_test(*arguments, "--report", str(page))
    assert run.status == 0, run.output
    assert "2 sessions of [n].csv" in run.output
    assert "read the columns arrival [/] and kwh" in run.output
    assert "[b].html" in run.output


@contextlib.contextmanager
def door_that_takes_nobody() -> Iterator[int]:
    """Open a port whose backlog is full: a connection is neither taken nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        first.connect(server.getsockname())
        with socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(server.getsockname())
            yield server.getsockname()[1]


def test_ctrl_c_before_the_gateway_is_reached_needs_no_traceback(
    start_load_test: Start,
) -> None:
    with door_that_takes_nobody() as port:
        process = start_load_test(url=f"http://127.0.0.1:{port}")

        def connects() -> None:
            # Its own sockets only: the kernel may list one of another process twice.
            own = psutil.Process(process.pid).net_connections("tcp")
            assert [socket.status for socket in own] == [psutil.CONN_SYN_SENT]

        eventually(connects, within_s=20)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == _INTERRUPTED


def test_ctrl_c_while_it_loads_needs_no_traceback(
    start_load_test: Start,
) -> None:
    with door_that_takes_nobody() as port:
        process = start_load_test(url=f"http://127.0.0.1:{port}")

        def loads() -> None:
            assert "gevent" in Path(f"/proc/{process.pid}/maps").read_text()

        eventually(loads, within_s=20, every_s=0.001)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    # The latter where this test was slower to look than the load tester was to load.
    assert (process.returncode, output) in {(-signal.SIGINT, ""), _INTERRUPTED}


def test_localhost_is_reached_whatever_family_the_gateway_listens_on(
    counterpart: StartCounterpart, load_test: LoadTest
) -> None:
    run = load_test(*QUICK, url=counterpart().replace("127.0.0.1", "localhost"))
    assert run.status == 0, run.output


def test_two_thousand_vehicles_at_once_are_held_by_one_process(load_test: LoadTest) -> None:
    # None leaves before the last is there, however busy the machine is; then each stays for 2 s.
    arguments = ("spike", "--share", "1", "--vehicles", "2000", "--kwh", "60")
    run = load_test(*arguments, substations={"a": 1000, "b": 1000}, kwh_per_s=30.0, gathers=2000)
    assert run.status == 0, run.output
    assert sum(substation["peak_load"] for substation in run.report["sites"]) == 2000


def test_a_gateway_that_stalls_its_pages_does_not_hold_up_the_vehicles(
    load_test: LoadTest,
) -> None:
    """Pages hang; charges are answered at once. The run ends all the same."""
    server = socket.create_server(("127.0.0.1", 0), backlog=200)
    body = b'{"status": "charged"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            request = client.recv(4096)
            if request.startswith(b"POST"):
                client.sendall(answer)
                client.close()
            else:
                held.append(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    run = load_test("--vehicles", "20", "--rate", "100", "--kwh", "1", url=url)
    server.close()
    assert run.status == 0, run.output
    assert run.report["vehicles"]["charged"] == 20
    assert run.report["choices"]["available"] is False
