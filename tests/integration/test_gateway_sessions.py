"""Sessions that outlive their request, at the gateway of a real grid."""

import csv
import io
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from charge_request_service.openapi import description
from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.support.api_keys import add_key
from tests.support.commands import run_module
from tests.support.deadline import eventually

# 50 kW at 360 times real time: 5 kWh a second.
KWH_PER_S = 5.0
JSON = {"Content-Type": "application/json"}


class Asked(threading.Thread):
    """A charge that is asked for in a thread of its own."""

    def __init__(self, url: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._asking = (url, headers, body)
        self.answer: requests.Response | None = None
        self.start()

    def run(self) -> None:
        url, headers, body = self._asking
        try:
            self.answer = requests.post(f"{url}/charge", json=body, headers=headers, timeout=60)
        except requests.RequestException:
            return

    def wait(self) -> requests.Response:
        self.join(60)
        assert self.answer is not None, "no answer"
        return self.answer


@pytest.fixture
def grid(start_grid: StartGrid, tmp_path: Path) -> Grid:
    return start_grid(points=(4, 4), gateway_env=ledger_env(tmp_path))


@pytest.fixture(scope="module")
def idle_grid(start_shared_grid: StartGrid, tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """One for all requests that begin no session."""
    return start_shared_grid(points=(4,), gateway_env=ledger_env(tmp_path_factory.mktemp("ledger")))


def ledger_env(folder: Path, **settings: str) -> dict[str, str]:
    return {"LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}", **settings}


def post(grid: Grid, body: dict[str, Any] | None = None, **headers: str) -> requests.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{grid.url}/charge", json=body or {}, headers=given, timeout=60)


def disconnect_after(seconds: float, grid: Grid, body: dict[str, Any], **headers: str) -> None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(requests.exceptions.Timeout):
        requests.post(f"{grid.url}/charge", json=body, headers=given, timeout=seconds)


def session(grid: Grid, session_id: str) -> dict[str, Any]:
    answer = requests.get(f"{grid.url}/sessions/{session_id}", timeout=10)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def sessions(grid: Grid, **query: str | int) -> list[dict[str, Any]]:
    answer = requests.get(f"{grid.url}/sessions", params=query, timeout=10)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


def ended(grid: Grid, count: int, **query: str | int) -> list[dict[str, Any]]:
    """Wait until so many sessions are in the ledger, and have ended: plain ones take a moment."""

    def check() -> list[dict[str, Any]]:
        found = sessions(grid, **query)
        assert len(found) == count
        assert all(one["ended"] for one in found)
        return found

    return eventually(check)


def in_state(grid: Grid, session_id: str, *states: str) -> Callable[[], dict[str, Any]]:
    def check() -> dict[str, Any]:
        found = session(grid, session_id)
        assert found["state"] in states, found
        return found

    return check


def restart_gateway(grid: Grid) -> None:
    grid.gateway.kill()
    grid.gateway.start()
    grid.gateway.wait_until(grid.gateway.missing, 20)


def delivered_kwh(grid: Grid) -> float:
    """Return what the substations' own counters say."""
    return sum(
        value
        for substation in grid.substations
        for name, value in scrape(substation.url).items()
        if name.startswith("substation_energy_delivered_kwh_total")
    )


def test_a_plain_charge_is_in_the_ledger(grid: Grid) -> None:
    answer = post(grid, {"vehicle_id": "EV-1", "kwh": 2})

    [found] = ended(grid, 1)
    reported = answer.json()
    assert found["session_id"] == reported["session_id"]
    assert (found["state"], found["kind"], found["vehicle_id"]) == ("charged", "plain", "EV-1")
    for name in ("kwh", "substation", "energy_kwh", "charging_s", "mean_power_kw", "attempts"):
        assert found[name] == reported[name]
    assert found["legs"][0]["energy_kwh"] == reported["energy_kwh"]
    assert session(grid, reported["session_id"]) == found
    assert "Idempotency-Replayed" not in answer.headers


def test_one_that_was_refused_and_one_that_disconnected_are_in_the_ledger(grid: Grid) -> None:
    holding = [Asked(grid.url, {}, {"kwh": 50}) for _ in range(8)]
    eventually(lambda: _full(grid))
    refused = post(grid, {"vehicle_id": "EV-refused"}, Prefer="wait=0")
    assert refused.status_code == 503
    [found] = ended(grid, 1, state="refused")
    assert found["vehicle_id"] == "EV-refused"
    assert found["reason"] == refused.json()["detail"]

    disconnect_after(0.3, grid, {"vehicle_id": "EV-gone"})

    [one] = ended(grid, 1, vehicle_id="EV-gone")
    assert one["state"] == "stopped"
    assert "disconnected" in one["reason"]
    for held in holding:
        assert held.wait().status_code == 200


def _full(grid: Grid) -> None:
    assert sum(substation["load"] for substation in grid.get("/substations")["substations"]) == 8


def test_the_same_key_gets_the_same_answer_byte_for_byte(grid: Grid) -> None:
    first = post(grid, {"kwh": 2}, Idempotency_Key="key-1")
    assert first.status_code == 200
    assert "Idempotency-Replayed" not in first.headers

    for key in ("key-1", '"key-1"'):
        again = post(grid, {"kwh": 2.0}, Idempotency_Key=key)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
    restart_gateway(grid)
    again = post(grid, {"kwh": 2}, Idempotency_Key="key-1")
    assert (again.status_code, again.content) == (200, first.content)

    assert len(sessions(grid)) == 1
    assert delivered_kwh(grid) == pytest.approx(2)


def test_a_refusal_is_answered_again_too(grid: Grid) -> None:
    holding = [Asked(grid.url, {}, {"kwh": 20}) for _ in range(8)]
    eventually(lambda: _full(grid))
    first = post(grid, {}, Idempotency_Key="k", Prefer="wait=0")
    assert first.status_code == 503
    for one in holding:
        one.wait()

    again = post(grid, {}, Idempotency_Key="k")

    assert (again.status_code, again.content) == (503, first.content)
    assert again.headers["Retry-After"] == first.headers["Retry-After"]
    assert again.headers["Content-Type"] == "application/problem+json"


def test_the_same_key_with_another_body_is_a_422(grid: Grid) -> None:
    first = post(grid, {"kwh": 2, "vehicle_id": "EV-1"}, Idempotency_Key="k").json()

    for body in ({"kwh": 3, "vehicle_id": "EV-1"}, {"kwh": 2}, {}):
        answer = post(grid, body, Idempotency_Key="k")
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:ev-grid:problem:idempotency-key-reused"
        assert answer.json()["session_id"] == first["session_id"]
    bad = post(grid, {"kwh": -1}, Idempotency_Key="other")
    assert bad.status_code == 400
    assert post(grid, {"kwh": 1}, Idempotency_Key="other").status_code == 200


@pytest.mark.parametrize("key", ["", '""', "with space", "k" * 256])
def test_a_key_that_is_none_is_refused(idle_grid: Grid, key: str) -> None:
    answer = post(idle_grid, {"kwh": 1}, Idempotency_Key=key)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_of_many_at_once_one_charges_and_the_others_are_reported_where(grid: Grid) -> None:
    asked = [Asked(grid.url, {"Idempotency-Key": "k"}, {"kwh": 5}) for _ in range(10)]
    answers = [one.wait() for one in asked]

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * 9
    [charged] = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["Location"] == f"/sessions/{charged.json()['session_id']}"
            assert answer.json()["type"] == "urn:ev-grid:problem:session-running"
    assert len(sessions(grid)) == 1
    assert delivered_kwh(grid) == pytest.approx(5)


def test_a_key_that_has_its_answer_gets_it_however_often_it_comes_at_once(grid: Grid) -> None:
    first = post(grid, {"kwh": 1}, Idempotency_Key="k")

    asked = [Asked(grid.url, {"Idempotency-Key": "k"}, {"kwh": 1}) for _ in range(20)]

    for answer in [one.wait() for one in asked]:
        assert (answer.status_code, answer.content) == (200, first.content)
        assert answer.headers["Idempotency-Replayed"] == "true"


def test_a_session_whose_caller_is_gone_is_taken_over(grid: Grid) -> None:
    disconnect_after(0.7, grid, {"kwh": 10}, Idempotency_Key="k")

    answer = post(grid, {"kwh": 10}, Idempotency_Key="k")

    assert answer.status_code == 200
    assert answer.json()["energy_kwh"] == pytest.approx(10)
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert len(sessions(grid)) == 1
    assert delivered_kwh(grid) == pytest.approx(10)


def test_a_session_whose_caller_does_not_come_back_stops_after_the_grace(
    start_grid: StartGrid, tmp_path: Path
) -> None:
    grid = start_grid(points=(4,), gateway_env=ledger_env(tmp_path, RECONNECT_GRACE="1"))

    disconnect_after(0.5, grid, {"kwh": 100}, Idempotency_Key="k")
    [running] = sessions(grid)
    assert running["state"] in ("charging", "waiting")
    stopped = eventually(in_state(grid, running["session_id"], "stopped"), 10)

    assert "did not come back" in stopped["reason"]
    assert 2 < delivered_kwh(grid) < 30
    answer = post(grid, {"kwh": 100}, Idempotency_Key="k")
    assert answer.json()["status"] == "stopped"
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_an_asynchronous_charge_continues_without_its_caller(grid: Grid) -> None:
    answer = post(grid, {"kwh": 10, "vehicle_id": "EV-1"}, Prefer="respond-async, wait=30")

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    session_id = answer.json()["session_id"]
    assert answer.headers["Location"] == f"/sessions/{session_id}"
    assert answer.json() == {
        "state": "waiting",
        "session_id": session_id,
        "vehicle_id": "EV-1",
        "kwh": 10.0,
    }
    assert [one["session_id"] for one in sessions(grid, vehicle_id="EV-1")] == [session_id]
    charged = eventually(in_state(grid, session_id, "charged"), 15)
    assert charged["kind"] == "async"
    assert charged["energy_kwh"] == pytest.approx(10)


def test_an_asynchronous_charge_with_a_key_is_begun_once(grid: Grid) -> None:
    first = post(grid, {"kwh": 10}, Prefer="respond-async", Idempotency_Key="k")
    again = post(grid, {"kwh": 10}, Prefer="respond-async", Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"

    waited = post(grid, {"kwh": 10}, Idempotency_Key="k")  # waits for it

    assert (waited.status_code, waited.json()["status"]) == (200, "charged")
    assert len(sessions(grid)) == 1


def test_a_caller_that_waited_may_make_its_session_asynchronous(
    start_grid: StartGrid, tmp_path: Path
) -> None:
    grid = start_grid(points=(4,), gateway_env=ledger_env(tmp_path, RECONNECT_GRACE="0.5"))
    disconnect_after(0.3, grid, {"kwh": 15}, Idempotency_Key="k")

    answer = post(grid, {"kwh": 15}, Prefer="respond-async", Idempotency_Key="k")

    assert answer.status_code == 202
    charged = eventually(in_state(grid, answer.json()["session_id"], "charged"), 15)
    assert charged["kind"] == "async"


def test_a_session_is_stopped_and_stopping_is_idempotent(grid: Grid) -> None:
    session_id = post(grid, {"kwh": 500}, Prefer="respond-async").json()["session_id"]
    time.sleep(1)

    stopped = requests.delete(f"{grid.url}/sessions/{session_id}", timeout=20)

    assert stopped.status_code == 200
    reported = stopped.json()
    assert (reported["state"], reported["reason"]) == ("stopped", "stopped by its caller")
    again = requests.delete(f"{grid.url}/sessions/{session_id}", timeout=20)
    assert (again.status_code, again.json()) == (200, reported)
    assert eventually(lambda: _idle(grid)) is None
    assert 2 < delivered_kwh(grid) < 30
    if reported["energy_kwh"] is not None:
        assert reported["energy_kwh"] == pytest.approx(delivered_kwh(grid))
    missing = requests.delete(f"{grid.url}/sessions/none", timeout=20)
    assert missing.status_code == 404


def _idle(grid: Grid) -> None:
    assert sum(substation["load"] for substation in grid.get("/substations")["substations"]) == 0


def test_a_held_charge_that_is_stopped_answers_its_caller(grid: Grid) -> None:
    held = Asked(grid.url, {"Idempotency-Key": "k"}, {"kwh": 500, "vehicle_id": "EV-1"})

    def running() -> str:
        found = sessions(grid)
        assert len(found) == 1
        return str(found[0]["session_id"])

    session_id = eventually(running)
    time.sleep(0.5)
    stopped = requests.delete(f"{grid.url}/sessions/{session_id}", timeout=20).json()

    answer = held.wait()
    assert answer.status_code == 200
    assert answer.json()["status"] == "stopped"
    assert answer.json()["session_id"] == stopped["session_id"] == session_id


def test_what_a_killed_gateway_had_is_gone_on_with(grid: Grid) -> None:
    plain = Asked(grid.url, {}, {"kwh": 500, "vehicle_id": "EV-plain"})
    keyed = Asked(grid.url, {"Idempotency-Key": "k"}, {"kwh": 20, "vehicle_id": "EV-keyed"})
    by_itself = post(grid, {"kwh": 20, "vehicle_id": "EV-async"}, Prefer="respond-async").json()
    eventually(lambda: _all_begun(grid, 3))
    time.sleep(1)

    restart_gateway(grid)

    answer = post(grid, {"kwh": 20, "vehicle_id": "EV-keyed"}, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["status"]) == (200, "charged")
    charged = eventually(in_state(grid, by_itself["session_id"], "charged"), 20)
    assert charged["kind"] == "async"

    [stopped] = ended(grid, 1, vehicle_id="EV-plain")
    assert stopped["state"] == "stopped"
    assert "restarted" in stopped["reason"]
    for one in (plain, keyed):
        one.join(10)
        assert one.answer is None  # their connections went with the gateway


def _all_begun(grid: Grid, count: int) -> None:
    assert len(sessions(grid)) == count


def test_a_gateway_that_restarts_gracefully_leaves_nothing_behind(grid: Grid) -> None:
    held = Asked(grid.url, {}, {"kwh": 10, "vehicle_id": "EV-held"})
    by_itself = post(grid, {"kwh": 20, "vehicle_id": "EV-async"}, Prefer="respond-async").json()
    eventually(lambda: _all_begun(grid, 2))

    grid.gateway.stop()
    grid.gateway.start()
    grid.gateway.wait_until(grid.gateway.missing, 20)

    assert held.wait().status_code == 200
    eventually(in_state(grid, by_itself["session_id"], "charged"), 20)
    [one] = ended(grid, 1, vehicle_id="EV-held")
    assert one["state"] == "charged"


def test_the_list_is_filtered_and_paged(grid: Grid) -> None:
    began = []
    for number in range(5):
        answer = post(grid, {"kwh": 0.1, "vehicle_id": f"EV-{number % 2}"})
        began.append(answer.json()["session_id"])
    ended(grid, 5)
    running = post(grid, {"kwh": 100}, Prefer="respond-async").json()["session_id"]

    newest_first = [running, *reversed(began)]
    assert [one["session_id"] for one in sessions(grid)] == newest_first
    found, cursor = [], None
    while True:
        query: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = requests.get(f"{grid.url}/sessions", params=query, timeout=10).json()
        found += [one["session_id"] for one in page["sessions"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == newest_first
    assert [one["session_id"] for one in sessions(grid, vehicle_id="EV-1")] == [
        began[3],
        began[1],
    ]
    assert len(sessions(grid, state="charged")) == 5
    since = session(grid, began[2])["began"]
    assert [one["session_id"] for one in sessions(grid, since=since)][:3] == newest_first[:3]
    requests.delete(f"{grid.url}/sessions/{running}", timeout=20)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=gone", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("since=yesterday", "since"),
        ("cursor=%00", "cursor"),
        ("vehicle_id=a%20b", "vehicle_id"),
        ("order=asc", "order"),
    ],
)
def test_a_wrong_parameter_of_the_list_is_named(idle_grid: Grid, query: str, field: str) -> None:
    answer = requests.get(f"{idle_grid.url}/sessions?{query}", timeout=10)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_charge_detail_records_say_what_the_meters_say(grid: Grid, tmp_path: Path) -> None:
    for number in range(4):
        post(grid, {"kwh": 1 + number / 4, "vehicle_id": f"EV-{number}"})
    ended(grid, 4)
    stopped = post(grid, {"kwh": 500}, Prefer="respond-async").json()["session_id"]
    time.sleep(0.5)
    reported = requests.delete(f"{grid.url}/sessions/{stopped}", timeout=20).json()
    running = post(grid, {"kwh": 500}, Prefer="respond-async").json()["session_id"]

    answer = requests.get(f"{grid.url}/sessions.csv", params={"limit": 3}, timeout=10)
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 3
    further = answer.links["next"]["url"]
    rows += csv.DictReader(io.StringIO(requests.get(f"{grid.url}{further}", timeout=10).text))
    cdrs = requests.get(f"{grid.url}/sessions.json", timeout=10).json()["cdrs"]

    assert [row["session_id"] for row in rows] == [cdr["id"] for cdr in cdrs]
    assert len(rows) == 5
    assert running not in {row["session_id"] for row in rows}
    energy_kwh = sum(float(row["energy_kwh"]) for row in rows if row["energy_kwh"])
    assert energy_kwh == pytest.approx(sum(cdr["total_energy"] for cdr in cdrs))
    requests.delete(f"{grid.url}/sessions/{running}", timeout=20)
    if reported["energy_kwh"] is not None:  # the balancer tells
        everything = requests.get(f"{grid.url}/sessions.json", timeout=10).json()["cdrs"]
        total = sum(cdr["total_energy"] for cdr in everything)
        assert total == pytest.approx(delivered_kwh(grid), abs=0.001)
    [cdr] = [cdr for cdr in cdrs if cdr["cdr_token"]["uid"] == "EV-3"]
    [period] = cdr["charging_periods"]
    assert period["dimensions"][0] == {"type": "ENERGY", "volume": pytest.approx(1.75)}
    assert cdr["total_energy"] == pytest.approx(1.75)
    assert cdr["total_time"] * 3600 == pytest.approx(1.75 / KWH_PER_S, abs=0.5)

    for format_ in ("csv", "json"):
        export = run_module(
            "charge_request_service.sessions.export", format_, env=ledger_env(tmp_path)
        )
        assert export.returncode == 0, export.stderr
        exported = export.stdout
        if format_ == "csv":
            ids = [row["session_id"] for row in csv.DictReader(io.StringIO(exported))]
        else:
            ids = [json.loads(line)["id"] for line in exported.splitlines()]
        assert set(ids) >= {row["session_id"] for row in rows}


def test_a_key_sees_and_stops_its_own_sessions_and_an_operator_those_of_all(
    start_grid: StartGrid, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    keys = {
        "alice": add_key(file, "alice"),
        "bob": add_key(file, "bob"),
        "desk": add_key(file, "desk", "--operator"),
    }
    grid = start_grid(points=(4,), gateway_env=ledger_env(tmp_path, CHARGE_API_KEYS_FILE=str(file)))

    def ask(who: str, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {keys[who]}", **options.pop("headers", {})}
        return requests.request(method, f"{grid.url}{path}", headers=headers, timeout=20, **options)

    same = {"Idempotency-Key": "the-same-key"}
    own = {
        who: ask(who, "POST", "/charge", json={"kwh": 1}, headers=same).json()["session_id"]
        for who in ("alice", "bob")
    }
    assert own["alice"] != own["bob"]
    running = ask(
        "alice", "POST", "/charge", json={"kwh": 500}, headers={"Prefer": "respond-async"}
    ).json()["session_id"]

    def listed(who: str) -> set[str]:
        found = ask(who, "GET", "/sessions").json()["sessions"]
        records = ask(who, "GET", "/sessions.json").json()["cdrs"]
        assert {one["id"] for one in records} <= {one["session_id"] for one in found}
        return {one["session_id"] for one in found}

    assert listed("alice") == {own["alice"], running}
    assert listed("bob") == {own["bob"]}
    assert listed("desk") == {own["alice"], own["bob"], running}
    assert ask("bob", "GET", f"/sessions/{running}").status_code == 404
    assert ask("bob", "DELETE", f"/sessions/{running}").status_code == 404
    assert ask("alice", "GET", f"/sessions/{running}").json()["state"] != "stopped"
    stopped = ask("desk", "DELETE", f"/sessions/{running}")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")


def test_answers_are_what_the_description_says(grid: Grid) -> None:
    post(grid, {"kwh": 1})
    running = post(grid, {"kwh": 100}, Prefer="respond-async").json()["session_id"]
    document = description(1000)

    for path, schema in (
        ("/sessions", "Sessions"),
        (f"/sessions/{running}", "Session"),
        ("/sessions.json", "ChargeDetailRecords"),
    ):
        answer = requests.get(f"{grid.url}{path}", timeout=10).json()
        jsonschema.validate(answer, {**document, "$ref": f"#/components/schemas/{schema}"})
    requests.delete(f"{grid.url}/sessions/{running}", timeout=20)


def test_a_ledger_that_is_locked_costs_new_charges_and_nothing_else(
    grid: Grid, tmp_path: Path
) -> None:
    held = [Asked(grid.url, {}, {"kwh": 10, "vehicle_id": f"EV-{n}"}) for n in range(3)]
    by_itself = post(grid, {"kwh": 10}, Prefer="respond-async").json()["session_id"]
    eventually(lambda: _all_begun(grid, 4))

    locked = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    try:
        # A plain charge does not wait for the ledger: it is refused once that is known to be away.
        early = _refused_at_last(grid)
        began = time.monotonic()
        refused = [post(grid, {"kwh": 1, "vehicle_id": "EV-late"}) for _ in range(3)]
        assert time.monotonic() - began < 5
        for answer in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:ev-grid:problem:ledger-away"
            assert "locked" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) > 0
        keyed = post(grid, {"kwh": 1}, Idempotency_Key="k")
        assert keyed.status_code == 503
        assert scrape(grid.url)["ledger_up"] == 0
        assert [one.wait().status_code for one in held] == [200] * 3
    finally:
        locked.execute("ROLLBACK")
        locked.close()

    eventually(in_state(grid, by_itself, "charged"), 10)
    eventually(lambda: _charged(grid, 4 + early), 10)
    assert sessions(grid, vehicle_id="EV-late") == []
    assert len(sessions(grid, vehicle_id="EV-early")) == early
    assert post(grid, {"kwh": 1}, Idempotency_Key="k").status_code == 200
    assert scrape(grid.url)["ledger_up"] == 1


def test_one_that_cannot_be_made_asynchronous_while_the_ledger_is_away_is_reported_so(
    grid: Grid, tmp_path: Path
) -> None:
    disconnect_after(0.3, grid, {"kwh": 40}, Idempotency_Key="k")
    locked = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    try:
        asked = post(grid, {"kwh": 40}, Prefer="respond-async", Idempotency_Key="k")
    finally:
        locked.execute("ROLLBACK")
        locked.close()

    assert asked.status_code == 503, asked.text
    assert asked.json()["type"] == "urn:ev-grid:problem:ledger-away"
    assert "continues, and its caller may attach to it" in asked.json()["detail"]
    assert int(asked.headers["Retry-After"]) > 0

    def accepted() -> str:
        again = post(grid, {"kwh": 40}, Prefer="respond-async", Idempotency_Key="k")
        assert again.status_code == 202
        session_id: str = again.json()["session_id"]
        return session_id

    charged = eventually(in_state(grid, eventually(accepted), "charged"), 15)
    assert charged["kind"] == "async"


def _refused_at_last(grid: Grid) -> int:
    """Charge vehicles until one is refused; return how many were not."""
    for number in range(50):
        answer = post(grid, {"kwh": 0.1, "vehicle_id": "EV-early"})
        if answer.status_code == 503:
            return number
        time.sleep(0.05)
    raise AssertionError("none was refused")


def _charged(grid: Grid, count: int) -> None:
    assert len(sessions(grid, state="charged")) == count


def test_the_ledger_reports_its_state_to_prometheus(grid: Grid) -> None:
    for _ in range(3):
        post(grid, {"kwh": 0.1})
    running = post(grid, {"kwh": 100}, Prefer="respond-async").json()["session_id"]

    def reported() -> None:
        found = scrape(grid.url)
        assert found["ledger_up"] == 1
        assert found["ledger_waiting_rows"] == 0
        # One row for each that was soon over, else one for its beginning and one for its end.
        assert 4 <= found["ledger_commit_rows_sum"] <= 7
        assert 2 <= found["ledger_commit_rows_count"] <= found["ledger_commit_rows_sum"]
        assert found["ledger_commit_wait_seconds_count"] == found["ledger_commit_rows_count"]
        assert found["ledger_size_bytes"] > 10_000
        assert found["ledger_disk_free_bytes"] > 0
        assert found["ledger_oldest_open_session_seconds"] > 0

    eventually(reported, 15)
    requests.delete(f"{grid.url}/sessions/{running}", timeout=20)


def test_a_gateway_that_comes_back_stops_what_was_left_open_and_nothing_that_it_began(
    grid: Grid,
) -> None:
    left = [Asked(grid.url, JSON, {"kwh": 400}) for _ in range(4)]
    eventually(lambda: _at_the_substations(grid, 4), 10)
    eventually(lambda: _in_the_ledger(grid, 4))  # without a key a session does not wait for that
    grid.gateway.kill()
    for one in left:
        one.join(10)
    grid.gateway.start()
    came_again: list[Asked] = []
    while len(came_again) < 60:  # from its first moment on, while it looks at what was left open
        came_again.append(Asked(grid.url, JSON, {"kwh": 0.5}))
        time.sleep(0.05)
    for one in came_again:
        one.join(60)
    answers = [one.answer.json() for one in came_again if one.answer is not None]
    assert len(answers) > 20, "it was not back in time"
    assert {answer["status"] for answer in answers} == {"charged"}
    states = [row["state"] for row in ended(grid, len(answers) + 4)]
    assert states.count("stopped") == 4
    assert states.count("charged") == len(answers)


def _in_the_ledger(grid: Grid, count: int) -> None:
    assert len(sessions(grid)) == count


def _at_the_substations(grid: Grid, vehicles: int) -> None:
    substations = grid.get("/substations")["substations"]
    assert sum(substation["load"] for substation in substations) == vehicles


def test_a_plain_session_whose_caller_disconnects_has_what_the_meter_says(grid: Grid) -> None:
    for seconds in (0.5, 0.7, 0.9, 1.1):
        disconnect_after(seconds, grid, {"kwh": 50})

    def agree() -> None:
        rows = sessions(grid, limit=100)
        assert [one["state"] for one in rows] == ["stopped"] * 4
        meter = sum(scrape(one.url)["substation_meter_kwh"] for one in grid.substations)
        assert sum(one["energy_kwh"] for one in rows) == pytest.approx(meter, abs=1e-6)

    eventually(agree, 10)
