"""Sessions that outlive what carries them: the balancer and its substations, killed and cut off."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.fault_proxy import FaultProxy
from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import start_ready_balancer, wait_for_health
from tests.support.deadline import eventually

# 22 kW at 100 times real time: 0.61 kWh a second, 6 kWh in 9.8 s.
POWER_KW, TIME_SCALE = 22.0, 100.0
KWH_PER_S = POWER_KW * TIME_SCALE / 3600
DURABLE = {"Session-Grace": "60"}
RESUMED = {**DURABLE, "Session-Resumed": "?1"}
NOTHING_KWH = 1e-6


class Asked:
    """A charge that is asked for in a thread of its own."""

    def __init__(self, url: str, session_id: str, kwh: float, headers: dict[str, str]) -> None:
        self._url, self._headers = url, headers
        self._body = {"session_id": session_id, "vehicle_id": f"EV-{session_id}", "kwh": kwh}
        self.status = 0
        self.document: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            answer = requests.post(
                f"{self._url}/charge", json=self._body, headers=self._headers, timeout=60
            )
        except requests.RequestException:
            return
        self.status, self.document = answer.status_code, answer.json()

    def wait(self, within_s: float = 30) -> dict[str, Any]:
        self._thread.join(within_s)
        assert not self._thread.is_alive(), f"unanswered after {within_s} s"
        return self.document


@pytest.fixture
def start_substation(start_service: StartService, tmp_path: Path) -> Callable[..., Process]:
    """Start a substation that keeps its registers in a file, and has them again when restarted."""
    count = 0

    def start(**settings: object) -> Process:
        nonlocal count
        count += 1
        options: dict[str, object] = {
            "CHARGING_POINTS": 2,
            "POINT_POWER_KW": POWER_KW,
            "TIME_SCALE": TIME_SCALE,
            "SUBSTATION_NAME": f"substation{count}",
            "JOURNAL": tmp_path / f"journal{count}",
        }
        return start_service("substation_service", **(options | settings))

    return start


@pytest.fixture
def cut_link() -> Iterator[Callable[[Process], FaultProxy]]:
    """Put a link that can be cut in front of a process."""
    fault_proxies: list[FaultProxy] = []

    def fault_proxy(process: Process) -> FaultProxy:
        fault_proxies.append(FaultProxy(Ports.free(0).gateway, process.port))
        return fault_proxies[-1]

    yield fault_proxy
    for one in fault_proxies:
        one.close()


def register(substation: Process, session_id: str) -> float:
    """Return a substation's own word of a session, kWh."""
    answer = requests.get(f"{substation.url}/sessions/{session_id}", timeout=5)
    return float(answer.json()["energy_kwh"]) if answer.status_code == 200 else 0.0


def two(start_substation: Callable[..., Process], **settings: object) -> dict[str, Process]:
    """Start two substations, by the names that the balancer will give them."""
    return {f"substation{number}": start_substation(**settings) for number in (1, 2)}


def start_before(
    start_service: StartService, substations: Mapping[str, Process | FaultProxy], **settings: object
) -> Process:
    """Start a balancer before substations, or links to them, and wait until it has all up."""
    urls = [one.url for one in substations.values()]
    return start_ready_balancer(start_service, *urls, **settings)


def start_again(process: Process) -> None:
    """Start a process that was killed, and wait until it answers."""
    process.start()
    process.wait_until(lambda: process.answers("/healthz"), timeout_s=20)


def charging_at(balancer: Process, session_id: str) -> str:
    """Wait until a session charges, and return where."""

    def check() -> str:
        session = requests.get(f"{balancer.url}/sessions/{session_id}", timeout=5).json()
        assert session.get("state") == "charging", session
        assert session["energy_kwh"] > 0, session
        return str(session["substation"])

    return eventually(check, 10)


def wait_for_report(balancer: Process, session_id: str) -> None:
    """Wait until a substation reports more energy of a charging session.

    A substation writes its registers before it reports them. One that is killed between the two has
    written more than the balancer knows, and unless it is back in time that energy is charged
    again. Just after a report that is the least likely, the more so the longer POLL_INTERVAL.
    """

    def energy() -> float:
        document = requests.get(f"{balancer.url}/sessions/{session_id}", timeout=5).json()
        return float(document["energy_kwh"])

    def check() -> None:
        assert energy() > before

    before = energy()
    eventually(check, 10)


def counted_twice(balancer: Process) -> float:
    return scrape(balancer.url)["balancer_energy_delivered_twice_kwh_total"]


@pytest.mark.parametrize("headers", [{}, DURABLE], ids=["plain", "durable"])
def test_a_killed_substation_s_vehicle_gets_the_rest_elsewhere(
    start_service: StartService,
    start_substation: Callable[..., Process],
    headers: dict[str, str],
) -> None:
    substations = two(start_substation)
    balancer = start_before(start_service, substations, POLL_INTERVAL=1)
    asked = Asked(balancer.url, "s1", 3.0, headers)
    first = charging_at(balancer, "s1")
    time.sleep(1)
    wait_for_report(balancer, "s1")

    substations[first].kill()
    document = asked.wait()

    assert asked.status == 200, document
    assert document["status"] == "charged"
    assert document["attempts"] == 2
    assert document["legs"][0]["substation"] == first
    assert document["energy_kwh"] == pytest.approx(3.0, abs=NOTHING_KWH)
    start_again(substations[first])
    words = [register(one, "s1") for one in substations.values()]
    assert min(words) > 0.3
    assert sum(words) == pytest.approx(3.0, abs=NOTHING_KWH)
    eventually(lambda: wait_for_health(balancer, first, "up"), 10)
    time.sleep(1)
    assert counted_twice(balancer) == 0


def test_a_session_killed_between_its_last_kwh_and_its_answer_is_not_charged_again(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    # Frozen, the balancer hears of no end: the register is in the file, and nobody was told.
    substations = two(start_substation)
    balancer = start_before(start_service, substations, POLL_INTERVAL=3)
    asked = Asked(balancer.url, "s1", 1.5, DURABLE)
    first = charging_at(balancer, "s1")
    balancer.freeze()
    eventually(lambda: _is(register(substations[first], "s1"), 1.5), 10)
    substations[first].kill()
    start_again(substations[first])
    balancer.thaw()

    document = asked.wait()

    assert asked.status == 200, document
    assert document["energy_kwh"] == pytest.approx(1.5, abs=NOTHING_KWH)
    assert sum(register(one, "s1") for one in substations.values()) == pytest.approx(1.5)


def _is(value: float, wanted: float) -> None:
    assert value == pytest.approx(wanted), value


def test_a_session_that_may_have_ended_waits_for_the_report_of_its_substation(
    start_service: StartService,
    start_substation: Callable[..., Process],
    cut_link: Callable[[Process], FaultProxy],
) -> None:
    substations = two(start_substation)
    links = {name: cut_link(one) for name, one in substations.items()}
    balancer = start_before(start_service, links, LAST_WORD_WAIT=30)
    asked = Asked(balancer.url, "s1", 0.9, DURABLE)  # 1.5 s: over before the substation is given up
    first = charging_at(balancer, "s1")

    links[first].cut()
    eventually(lambda: _says(f"{balancer.url}/sessions/s1", "waiting"), 10)
    time.sleep(1)
    other = next(one for name, one in substations.items() if name != first)
    assert scrape(other.url)["substation_current_load"] == 0  # it does not go on there yet
    links[first].heal()
    document = asked.wait(10)

    assert document["status"] == "charged", document
    assert document["substation"] == first
    assert register(other, "s1") == 0
    assert counted_twice(balancer) == 0


def test_a_restarted_balancer_finds_where_a_session_is_charging(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substations = two(start_substation)
    balancer = start_before(start_service, substations)
    Asked(balancer.url, "s1", 6.0, DURABLE)
    first = charging_at(balancer, "s1")
    time.sleep(1)
    balancer.kill()
    start_again(balancer)

    asked = Asked(balancer.url, "s1", 6.0, RESUMED)
    document = asked.wait()

    assert document["status"] == "charged", document
    assert document["substation"] == first
    assert register(substations[first], "s1") == pytest.approx(6.0)
    assert sum(register(one, "s1") for one in substations.values()) == pytest.approx(6.0)
    assert scrape(balancer.url)['balancer_resumed_sessions_total{how="attached"}'] == 1


def test_a_session_that_continues_at_another_balancer_is_not_charged_too_fast(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    first, other = (start_ready_balancer(start_service, substation.url) for _ in range(2))
    Asked(first.url, "s1", 3.0, DURABLE)

    def check() -> None:
        assert register(substation, "s1") > 1.8

    eventually(check, 10)
    first.kill()

    document = Asked(other.url, "s1", 3.0, RESUMED).wait()

    assert document["energy_kwh"] == pytest.approx(3.0)
    scraped = scrape(other.url)
    assert scraped['balancer_resumed_sessions_total{how="attached"}'] == 1
    assert scraped['balancer_too_fast_charges_total{substation="substation1"}'] == 0
    [shown] = requests.get(f"{other.url}/substations", timeout=5).json()["substations"]
    assert shown["warning"] is None


def test_a_session_that_ended_while_its_balancer_was_away_is_answered_from_its_register(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    Asked(balancer.url, "s1", 0.9, DURABLE)
    charging_at(balancer, "s1")
    balancer.kill()
    eventually(lambda: _is(register(substation, "s1"), 0.9), 10)
    start_again(balancer)

    document = Asked(balancer.url, "s1", 0.9, RESUMED).wait()

    assert document["status"] == "charged"
    assert document["energy_kwh"] == pytest.approx(0.9)
    assert scrape(balancer.url)['balancer_resumed_sessions_total{how="complete"}'] == 1


def test_a_session_continues_after_its_balancer_and_substation_are_killed_at_once(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substations = two(start_substation)
    balancer = start_before(start_service, substations)
    Asked(balancer.url, "s1", 3.0, DURABLE)
    first = charging_at(balancer, "s1")
    time.sleep(1.5)
    balancer.kill()
    substations[first].kill()
    start_again(substations[first])
    start_again(balancer)

    document = Asked(balancer.url, "s1", 3.0, RESUMED).wait()

    assert document["status"] == "charged", document
    assert document["energy_kwh"] == pytest.approx(3.0, abs=NOTHING_KWH)
    words = [register(one, "s1") for one in substations.values()]
    assert sum(words) == pytest.approx(3.0, abs=NOTHING_KWH)


@pytest.mark.parametrize("headers", [{}, DURABLE], ids=["plain", "durable"])
def test_a_cut_link_costs_a_lease_s_energy_at_most(
    start_service: StartService,
    start_substation: Callable[..., Process],
    cut_link: Callable[[Process], FaultProxy],
    headers: dict[str, str],
) -> None:
    substations = two(start_substation)
    links = {name: cut_link(one) for name, one in substations.items()}
    balancer = start_before(start_service, links)
    asked = Asked(balancer.url, "s1", 5.0, headers)
    first = charging_at(balancer, "s1")

    links[first].cut()
    time.sleep(6)
    links[first].heal()
    document = asked.wait()

    assert document["status"] == "charged", document
    words = {name: register(one, "s1") for name, one in substations.items()}
    # Two intervals, two time-outs: what the balancer lets pass until a substation is given up.
    lease_kwh = (2 * 1.1 * 0.5 + 2 * 0.85) * KWH_PER_S
    assert min(words.values()) > 0
    assert 0 <= sum(words.values()) - 5.0 + NOTHING_KWH <= lease_kwh + NOTHING_KWH
    # It was healed before the end: the leg elsewhere was cut back by what had flowed unheard.
    assert sum(words.values()) == pytest.approx(5.0, abs=NOTHING_KWH)


def test_what_flowed_behind_a_cut_link_that_healed_too_late_is_counted(
    start_service: StartService,
    start_substation: Callable[..., Process],
    cut_link: Callable[[Process], FaultProxy],
) -> None:
    substations = two(start_substation)
    links = {name: cut_link(one) for name, one in substations.items()}
    balancer = start_before(start_service, links)
    asked = Asked(balancer.url, "s1", 2.0, DURABLE)
    first = charging_at(balancer, "s1")

    links[first].cut()
    document = asked.wait()
    links[first].heal()

    assert document["energy_kwh"] == pytest.approx(2.0, abs=NOTHING_KWH)
    eventually(lambda: _is(scrape(balancer.url)["balancer_open_legs"], 0), 10)
    words = sum(register(one, "s1") for one in substations.values())
    lease_kwh = (2 * 1.1 * 0.5 + 2 * 0.85) * KWH_PER_S
    assert 0 < words - 2.0 <= lease_kwh
    assert counted_twice(balancer) == pytest.approx(words - 2.0, abs=NOTHING_KWH)


def test_a_session_is_stopped_while_it_waits(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation(CHARGING_POINTS=1)
    balancer = start_ready_balancer(start_service, substation.url)
    first = Asked(balancer.url, "s1", 3.0, DURABLE)
    charging_at(balancer, "s1")
    waiting = Asked(balancer.url, "s2", 3.0, DURABLE)
    where = f"{balancer.url}/sessions/s2"
    eventually(lambda: _says(where, "waiting"), 5)

    stopped = requests.delete(where, timeout=5)

    assert stopped.status_code == 200
    assert stopped.json()["status"] == "stopped"
    assert stopped.json()["energy_kwh"] == 0
    assert waiting.wait(5)["status"] == "stopped"
    assert requests.delete(where, timeout=5).json() == stopped.json()
    assert register(substation, "s2") == 0
    assert first.status == 0  # it charges on


def _says(where: str, state: str) -> None:
    document = requests.get(where, timeout=5).json()
    assert document.get("state") == state, document


@pytest.mark.parametrize("headers", [{}, DURABLE], ids=["plain", "durable"])
def test_a_session_is_stopped_while_it_charges(
    start_service: StartService,
    start_substation: Callable[..., Process],
    headers: dict[str, str],
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    asked = Asked(balancer.url, "s1", 6.0, headers)
    charging_at(balancer, "s1")

    stopped = requests.delete(f"{balancer.url}/sessions/s1", timeout=5).json()

    assert stopped["status"] == "stopped"
    assert 0 < stopped["energy_kwh"] < 3
    assert asked.wait(5)["status"] == "stopped"
    assert asked.status == 200
    assert asked.document["energy_kwh"] == stopped["energy_kwh"]
    assert register(substation, "s1") == stopped["energy_kwh"]
    eventually(lambda: _is(scrape(substation.url)["substation_current_load"], 0), 2)
    if headers:  # what it got is told again
        assert requests.delete(f"{balancer.url}/sessions/s1", timeout=5).json() == stopped


def test_a_durable_session_outlives_who_asked_and_a_second_request_is_answered(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    body = {"session_id": "s1", "kwh": 2.0}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{balancer.url}/charge", json=body, headers=DURABLE, timeout=1)

    answer = requests.post(f"{balancer.url}/charge", json=body, headers=DURABLE, timeout=20)
    again = requests.post(f"{balancer.url}/charge", json=body, headers=DURABLE, timeout=20)

    assert answer.json()["status"] == "charged"
    assert answer.json()["attempts"] == 1
    assert again.content == answer.content
    assert register(substation, "s1") == pytest.approx(2.0)


def test_a_durable_session_without_callers_ends_with_its_grace(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    body = {"session_id": "s1", "kwh": 6.0}
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{balancer.url}/charge", json=body, headers={"Session-Grace": "2"}, timeout=1
        )

    eventually(lambda: _says(f"{balancer.url}/sessions/s1", "stopped"), 5)

    assert 2.5 * KWH_PER_S < register(substation, "s1") < 4.5 * KWH_PER_S


def test_what_a_plain_session_got_whose_caller_disconnected_is_reported(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{balancer.url}/charge", json={"session_id": "s1", "kwh": 6.0}, timeout=1)
    eventually(lambda: _is(scrape(balancer.url)["balancer_open_legs"], 0), 5)

    reported = requests.delete(f"{balancer.url}/sessions/s1", timeout=5).json()
    balancer.kill()
    start_again(balancer)
    by_another = requests.delete(f"{balancer.url}/sessions/s1", timeout=5).json()

    assert reported["status"] == by_another["status"] == "stopped"
    assert reported["energy_kwh"] == by_another["energy_kwh"] == register(substation, "s1") > 0


def test_an_unknown_session_is_a_404_and_a_wrong_header_a_400(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    balancer = start_ready_balancer(start_service, start_substation().url)

    for call in (requests.get, requests.delete):
        answer = call(f"{balancer.url}/sessions/nobody", timeout=5)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
    some = requests.get(f"{balancer.url}/sessions?ids=nobody,else", timeout=5)
    assert some.json() == {"sessions": [], "unknown": ["nobody", "else"]}
    assert requests.get(f"{balancer.url}/sessions", timeout=5).status_code == 400
    wrong = requests.post(f"{balancer.url}/charge", headers={"Session-Grace": "long"}, timeout=5)
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "Session-Grace"


def test_a_frozen_balancer_s_sessions_stop_with_the_lease_and_continue_once_it_thaws(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    asked = Asked(balancer.url, "s1", 3.0, DURABLE)
    charging_at(balancer, "s1")

    balancer.freeze()
    eventually(lambda: _is(scrape(substation.url)["substation_current_load"], 0), 6)
    before = register(substation, "s1")
    balancer.thaw()
    document = asked.wait()

    assert 0 < before < 3.0
    assert document["status"] == "charged", document
    assert register(substation, "s1") == pytest.approx(3.0)
    assert scrape(balancer.url)['balancer_failovers_total{reason="stopped"}'] == 1


def test_a_substation_that_forgets_its_registers_is_another_meter_from_then_on(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    # One substation alone, so that the session comes back to it.
    substation = start_substation(JOURNAL="")
    balancer = start_ready_balancer(start_service, substation.url)
    asked = Asked(balancer.url, "s1", 3.0, DURABLE)
    charging_at(balancer, "s1")
    time.sleep(1.5)
    substation.kill()
    start_again(substation)

    document = asked.wait()

    assert document["status"] == "charged", document
    assert document["energy_kwh"] == pytest.approx(3.0, abs=NOTHING_KWH)
    assert 0 < register(substation, "s1") < 2.8  # the rest, which is all that it knows of


def test_a_substation_that_was_down_when_a_session_was_resumed_is_asked_when_it_is_back(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substations = two(start_substation)
    balancer = start_before(start_service, substations)
    Asked(balancer.url, "s1", 6.0, DURABLE)
    first = charging_at(balancer, "s1")
    time.sleep(1)
    substations[first].kill()
    balancer.kill()
    start_again(balancer)
    wait_for_health(balancer, first, "down")

    asked = Asked(balancer.url, "s1", 6.0, RESUMED)
    charging_at(balancer, "s1")
    start_again(substations[first])
    document = asked.wait()

    assert document["energy_kwh"] == pytest.approx(6.0, abs=NOTHING_KWH)
    words = [register(one, "s1") for one in substations.values()]
    assert min(words) > 0
    assert sum(words) == pytest.approx(6.0, abs=NOTHING_KWH)
    assert counted_twice(balancer) == 0


def test_a_hundred_sessions_of_a_killed_substation_get_the_rest_elsewhere(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substations = two(start_substation, CHARGING_POINTS=120)
    balancer = start_before(start_service, substations, POLL_INTERVAL=1.5)
    asked = [Asked(balancer.url, f"s{number}", 2.0 + number / 100, {}) for number in range(100)]
    newest = (f"s{number}" for number in reversed(range(100)))
    one_there = next(one for one in newest if charging_at(balancer, one) == "substation1")
    time.sleep(1)
    wait_for_report(balancer, one_there)

    substations["substation1"].kill()
    for one in asked:
        one.wait(60)
    start_again(substations["substation1"])

    assert [one.document for one in asked if one.document.get("status") != "charged"] == []
    for number in range(100):
        words = sum(register(one, f"s{number}") for one in substations.values())
        assert words == pytest.approx(2.0 + number / 100, abs=NOTHING_KWH), number


def test_a_substation_that_comes_back_elsewhere_with_its_journal_is_the_same_meter(
    start_service: StartService,
    start_substation: Callable[..., Process],
    tmp_path: Path,
) -> None:
    # As a container does that gets another address: the balancer follows the file of addresses.
    journal, file = tmp_path / "journal", tmp_path / "substations.toml"

    def point_to(process: Process) -> None:
        file.write_text(f'[substations.substation]\nurl = "{process.url}"\n')

    first = start_substation(JOURNAL=journal)
    point_to(first)
    balancer = start_service("load_balancer", path="/healthz", SUBSTATIONS_FILE=file)
    wait_for_health(balancer, "substation", "up")
    asked = Asked(balancer.url, "s1", 3.0, DURABLE)
    charging_at(balancer, "s1")
    time.sleep(1.5)
    first.kill()
    second = start_substation(JOURNAL=journal)
    before = register(second, "s1")
    point_to(second)

    document = asked.wait()

    assert before > 0.3
    assert document["status"] == "charged", document
    assert document["energy_kwh"] == pytest.approx(3.0, abs=NOTHING_KWH)
    assert register(second, "s1") == pytest.approx(3.0, abs=NOTHING_KWH)


def test_the_name_of_a_set_of_registers_outlives_a_restart_where_there_is_a_journal(
    start_substation: Callable[..., Process],
) -> None:
    def name_of(process: Process) -> str:
        return str(requests.get(f"{process.url}/progress", timeout=5).json()["register"])

    kept, forgetful = start_substation(), start_substation(JOURNAL="")
    before = name_of(kept), name_of(forgetful)
    for process in (kept, forgetful):
        process.kill()
        start_again(process)

    assert name_of(kept) == before[0] != before[1]
    assert name_of(forgetful) != before[1]


class Stopped(threading.Thread):
    """A session that is stopped in a thread of its own."""

    def __init__(self, balancer: Process, session_id: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{balancer.url}/sessions/{session_id}"
        self._answer: requests.Response | None = None
        self.start()

    def run(self) -> None:
        self._answer = requests.delete(self._url, timeout=30)

    def wait(self) -> dict[str, Any]:
        self.join(30)
        assert self._answer is not None
        assert self._answer.status_code == 200, self._answer.text
        document: dict[str, Any] = self._answer.json()
        return document


def test_a_stop_waits_for_the_report_of_a_substation_that_was_just_killed(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(
        start_service, substation.url, POLL_INTERVAL=2, LAST_WORD_WAIT=30
    )
    Asked(balancer.url, "s1", 6.0, DURABLE)
    charging_at(balancer, "s1")
    # Another one hears more of it than this balancer does, as the answer to a poll may be lost.
    time.sleep(1)
    requests.get(f"{substation.url}/progress", timeout=5)
    substation.kill()
    stopped = Stopped(balancer, "s1")
    time.sleep(1)
    start_again(substation)

    document = stopped.wait()

    assert document["status"] == "stopped"
    assert document["energy_kwh"] == pytest.approx(register(substation, "s1"), abs=NOTHING_KWH)


def test_a_stop_after_a_balancer_s_restart_waits_for_a_substation_that_is_down(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substations = two(start_substation)
    balancer = start_before(start_service, substations, LAST_WORD_WAIT=30)
    Asked(balancer.url, "s1", 6.0, DURABLE)
    first = charging_at(balancer, "s1")
    balancer.kill()
    substations[first].kill()
    start_again(balancer)
    other = next(name for name in substations if name != first)
    wait_for_health(balancer, first, "down")
    wait_for_health(balancer, other, "up")
    stopped = Stopped(balancer, "s1")
    time.sleep(1)
    start_again(substations[first])

    document = stopped.wait()

    assert document["status"] == "stopped"
    assert document["energy_kwh"] == pytest.approx(register(substations[first], "s1"))
    assert document["energy_kwh"] > 0


def test_a_session_that_was_stopped_is_not_resumed(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    Asked(balancer.url, "s1", 6.0, DURABLE)
    charging_at(balancer, "s1")
    balancer.kill()
    start_again(balancer)

    stopped = Stopped(balancer, "s1").wait()
    resumed = Asked(balancer.url, "s1", 6.0, RESUMED).wait(10)  # its gateway did not know yet

    assert resumed["status"] == stopped["status"] == "stopped"
    assert resumed["energy_kwh"] == pytest.approx(stopped["energy_kwh"])
    assert register(substation, "s1") == pytest.approx(stopped["energy_kwh"])


def test_a_session_that_is_overtaken_by_its_stop_does_not_charge(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    substation = start_substation()
    balancer = start_ready_balancer(start_service, substation.url)
    first = requests.delete(f"{balancer.url}/sessions/s1", timeout=10)

    document = Asked(balancer.url, "s1", 6.0, DURABLE).wait(10)

    assert first.status_code == 404
    assert document["status"] == "stopped", document
    assert register(substation, "s1") == 0


def test_a_session_that_was_moved_has_no_end_for_those_who_wait_here(
    start_service: StartService, start_substation: Callable[..., Process]
) -> None:
    balancer = start_before(start_service, two(start_substation))
    # Its gateway sends no other heartbeat, and another one goes on with it.
    silent = {**DURABLE, "Session-Owner": "gateway1.0", "Session-Lease": "0.5"}
    first = Asked(balancer.url, "s1", 3.0, silent)
    charging_at(balancer, "s1")
    time.sleep(0.6)
    other = Asked(balancer.url, "s1", 3.0, {**silent, **RESUMED, "Session-Owner": "gateway2.0"})

    assert first.wait()["type"] == "urn:ev-grid:problem:led-elsewhere"
    assert first.status == 503
    document = other.wait()
    assert (document["status"], document["energy_kwh"]) == ("charged", 3.0)
