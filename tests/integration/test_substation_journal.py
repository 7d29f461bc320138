"""What a substation still knows of its sessions after it dies, or while its disk fails."""

import resource
import time
from pathlib import Path

import psutil
import pytest
import requests

from local_stack.process import Process
from local_stack.session_logs import attempts
from substation_service.journal_format import encode
from tests.conftest import StartService
from tests.support.commands import run_module
from tests.support.deadline import eventually
from tests.support.sessions_at import DURABLE, Substation


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "substation.journal"


def restart(process: Process) -> None:
    process.kill()
    process.start()
    process.wait_until(lambda: process.answers("/readyz"), timeout_s=20)


def test_a_killed_substation_knows_what_it_last_reported_and_continues_from_there(
    start_service: StartService, journal: Path
) -> None:
    process = start_service("substation_service", TIME_SCALE=90, JOURNAL=journal)
    substation = Substation(process)
    substation.charge("ended", 1, DURABLE)
    ended = substation.show("ended")
    for session in ("durable", "plain"):
        substation.begin(session, 10, DURABLE if session == "durable" else None)
    time.sleep(0.3)
    words = {name: kwh for name, kwh in substation.progress("b").items() if name != "ended"}
    assert set(words) == {"durable", "plain"}
    time.sleep(0.3)

    restart(process)

    assert substation.show("ended") == ended
    for session, word in words.items():
        shown = substation.show(session)
        assert (shown["state"], shown["reason"]) == ("stopped", "restarted")
        assert shown["energy_kwh"] == word > 0
    assert substation.metrics()["substation_meter_kwh"] == pytest.approx(1 + sum(words.values()))
    again = substation.charge("ended", 1, DURABLE).json()
    assert again["energy_kwh"] == 1
    rest = substation.charge("durable", 2, DURABLE).json()
    assert (rest["status"], rest["energy_kwh"]) == ("charged", 2)
    began = time.monotonic()
    restart(process)
    assert time.monotonic() - began < 10
    assert substation.show("durable")["energy_kwh"] == 2
    assert substation.metrics()["substation_meter_kwh"] == pytest.approx(3 + words["plain"])


def test_what_was_cut_off_is_in_the_log_though_the_start_that_found_it_was_killed(
    start_service: StartService, journal: Path
) -> None:
    process = start_service(
        "tests.support.dying_substation", TIME_SCALE=90, JOURNAL=journal, DIES="replaced"
    )
    substation = Substation(process)
    substation.begin("cut", 10, DURABLE)
    time.sleep(0.3)
    word = substation.progress("b")["cut"]

    restart(process)

    assert journal.with_name("died").exists()
    (attempt,) = attempts(process.log_file)
    assert (attempt.session_id, attempt.outcome) == ("cut", "cut off")
    assert attempt.delivered_kwh == pytest.approx(word, abs=0.001)


@pytest.mark.parametrize("moment", ["unwritten", "torn", "synced"])
def test_a_substation_killed_around_a_commit_delivers_each_kwh_once(
    start_service: StartService, journal: Path, moment: str
) -> None:
    process = start_service(
        "tests.support.dying_substation", TIME_SCALE=360, JOURNAL=journal, DIES=moment
    )
    substation = Substation(process)
    held = substation.begin("s", 10, DURABLE)  # 2 s
    time.sleep(1)
    word = substation.progress("b")["s"]
    with pytest.raises(requests.ConnectionError):
        held.result()
    assert journal.with_name("died").exists()
    process.wait_until(lambda: process.answers("/readyz"), timeout_s=20)  # gunicorn's next worker

    shown = substation.show("s")
    began = time.monotonic()
    document = substation.charge("s", 10, DURABLE).json()
    took_s = time.monotonic() - began

    if moment == "synced":
        assert (shown["state"], shown["energy_kwh"]) == ("charged", 10)
        assert took_s < 0.5
    else:
        assert (shown["state"], shown["reason"]) == ("stopped", "restarted")
        assert shown["energy_kwh"] == word
        assert took_s == pytest.approx((10 - word) / 5, abs=0.4)
    assert (document["status"], document["energy_kwh"]) == ("charged", 10)
    assert substation.metrics()["substation_meter_kwh"] == 10


def test_the_end_of_a_plain_session_is_on_the_disk_within_a_second(
    start_service: StartService, journal: Path
) -> None:
    process = start_service("substation_service", TIME_SCALE=36_000, JOURNAL=journal)
    substation = Substation(process)
    document = substation.charge("s", 10).json()
    time.sleep(1)

    restart(process)

    assert substation.charge("s", 10).json() == document
    assert substation.metrics()["substation_meter_kwh"] == 10
    # of this process
    assert substation.metrics()['substation_sessions_total{outcome="charged"}'] == 0


def test_what_outlasts_a_drain_is_kept_to_its_last_kwh(
    start_service: StartService, journal: Path
) -> None:
    process = start_service("substation_service", TIME_SCALE=36, JOURNAL=journal, DRAIN_TIMEOUT=1)
    substation = Substation(process)
    substation.disconnect("durable", 10, DURABLE)
    substation.begin("plain", 10)
    word = substation.progress()["durable"]

    assert process.stop() == 0
    process.start()
    process.wait_until(lambda: process.answers("/readyz"), timeout_s=20)

    shown = {name: substation.show(name) for name in ("durable", "plain")}
    assert shown["durable"]["reason"] == "shut down"
    assert shown["plain"]["reason"] == "disconnected"
    assert word + 0.3 < shown["durable"]["energy_kwh"] < word + 2  # 0.5 a second
    meter = substation.metrics()["substation_meter_kwh"]
    assert meter == pytest.approx(sum(one["energy_kwh"] for one in shown.values()))


def test_on_a_full_disk_charging_continues_and_new_durable_sessions_are_refused(
    start_service: StartService, journal: Path
) -> None:
    process = start_service(
        "substation_service", TIME_SCALE=360, JOURNAL=journal, LOG_LEVEL="warning"
    )
    substation = Substation(process)
    for number in range(20):
        substation.charge(f"before-{number}", 0.01, DURABLE)
    running = substation.begin("running", 10, DURABLE)
    told = substation.progress_document()
    word, asked_at = told["sessions"]["running"], time.monotonic()
    assert told["age_s"] == 0
    worker = psutil.Process(process.pid).children()[0].pid
    full = journal.stat().st_size + 10
    assert full > process.log_file.stat().st_size + 1000  # the log has room
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))

    assert substation.progress()["running"] == word  # what is on the disk, and not more
    since_s = time.monotonic() - asked_at
    assert substation.progress_document()["age_s"] >= since_s
    assert substation.show("running")["age_s"] >= since_s
    assert running.result().json()["energy_kwh"] == 10

    assert substation.metrics()["substation_journal_failing"] == 1
    refused = substation.charge("new", 1, DURABLE)
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:ev-grid:problem:journal"
    assert "journal" in refused.json()["detail"]
    assert refused.headers["Retry-After"] == "5"
    assert substation.charge("running", 10, DURABLE).json()["energy_kwh"] == 10
    assert substation.charge("plain", 1).json()["status"] == "charged"
    assert "journal cannot be written" in process.log_file.read_text()
    assert journal.stat().st_size < full

    resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    def writes_again() -> None:
        assert substation.metrics()["substation_journal_failing"] == 0

    eventually(writes_again)
    restart(process)
    for session, kwh in (("running", 10), ("plain", 1), ("before-7", 0.01)):
        shown = substation.show(session)
        assert (shown["state"], shown["energy_kwh"]) == ("charged", kwh)
    assert substation.metrics()["substation_meter_kwh"] == pytest.approx(11.2)


def start_for_naught(journal: Path) -> str:
    """Start a substation that cannot start, and return what it says."""
    done = run_module("substation_service", env={"PORT": "0", "JOURNAL": str(journal)})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_corrupt_journal_stops_the_start_and_says_what_to_do(
    start_service: StartService, journal: Path
) -> None:
    process = start_service("substation_service", TIME_SCALE=36_000, JOURNAL=journal)
    substation = Substation(process)
    for number in range(5):
        substation.charge(f"s-{number}", 1, DURABLE)
    process.kill()
    whole = journal.read_bytes()
    at = whole.index(b'"s-2"') + 2
    journal.write_bytes(whole[:at] + b"x" + whole[at + 1 :])

    said = start_for_naught(journal)

    assert f"JOURNAL={journal} is corrupt" in said
    line = whole.rindex(b"\n", 0, at) + 1
    assert f"the line at byte {line} " in said
    assert "move it away" in said
    assert journal.read_bytes() != whole  # left as it is, for whoever looks at it

    journal.write_bytes(whole + b'5d3b12aa {"registers":[["s-5","EV')  # torn
    process.start()
    process.wait_until(lambda: process.answers("/readyz"), timeout_s=20)
    assert substation.metrics()["substation_meter_kwh"] == 5


@pytest.mark.parametrize(
    "content", [b"# not a journal\n" * 9, encode({"registers": [[]]})], ids=["text", "others"]
)
def test_a_file_that_is_not_a_journal_is_not_overwritten(journal: Path, content: bytes) -> None:
    journal.write_bytes(content)

    said = start_for_naught(journal)

    assert "is corrupt" in said
    assert journal.read_bytes() == content


def test_a_journal_is_of_one_substation(start_service: StartService, journal: Path) -> None:
    start_service("substation_service", JOURNAL=journal)

    assert "another substation uses it" in start_for_naught(journal)


def test_a_journal_that_cannot_be_opened_stops_the_start(journal: Path) -> None:
    said = start_for_naught(journal.parent / "missing" / "journal")

    assert "no such file or directory" in said
    assert "in an existing directory" in said
