"""The journal's file: bounded, compacted, and what is reported while it cannot be written."""

import errno
import os
import time
from pathlib import Path

import gevent
import pytest
import structlog

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from substation_service.journal import Journal
from substation_service.journal_file import JournalFile
from substation_service.register import Reason, Register
from substation_service.registers import Limits, Registers
from substation_service.substation import Substation
from tests.support.greenlets import wait_until

DURABLE = Terms(grace_s=60)


class World:
    """A substation with a journal, on the real clock. 1 kWh takes a microsecond."""

    def __init__(self, path: Path, most_bytes: int = 10_000) -> None:
        self.file = JournalFile(path)
        self.kept = self.file.read()
        self.use(Substation(100, 60, time_scale=6e7))
        known, _ = self.kept.registers(6e7)
        self.registers.restore(known, self.kept.forgotten_kwh)
        self.commits: list[int] = []
        self.journal = Journal(
            self.file,
            self.registers,
            most_bytes,
            0.0,
            structlog.get_logger(),
            lambda count, _took_s: self.commits.append(count),
        )

    def use(self, substation: Substation) -> None:
        self.registers = Registers(
            substation, lambda attempt: self.journal.note(attempt.register), limits=Limits(50, 50)
        )

    def begin(self, name: str) -> Register:
        return self.registers.ask(Session(name, "EV", 1.0), DURABLE, time.monotonic())[0]

    def charge(self, name: str) -> None:
        register = self.begin(name)
        gevent.sleep(1e-5)
        self.registers.finish(register, time.monotonic())
        self.registers.leave(register, time.monotonic())

    def restart(self) -> "World":
        self.file.close()
        return World(self.file.path)


def fail_syncs(monkeypatch: pytest.MonkeyPatch, fault: int) -> None:
    def fail(_fd: int) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "fdatasync", fail)


def slow_syncs(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    sync = os.fdatasync

    def slow(fd: int) -> None:
        time.sleep(seconds)  # in the journal's own thread: nothing here is patched by gevent
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", slow)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def test_everyone_who_waits_continues_after_one_commit(world: World) -> None:
    for number in range(40):
        world.charge(f"s{number}")
    waits = [gevent.spawn(world.journal.commit) for _ in range(40)]
    gevent.joinall(waits, timeout=5)

    assert [one.value for one in waits] == [True] * 40
    assert world.commits == [40]
    assert world.restart().registers.meter_kwh(time.monotonic()) == 40


def test_the_file_stays_within_its_bound_and_keeps_the_meter(world: World) -> None:
    sizes = []
    for number in range(600):
        world.charge(f"session-{number}")
        if number % 20 == 0:
            assert world.journal.commit()
            sizes.append(world.file.path.stat().st_size)
    assert world.journal.commit()

    assert max(sizes) < 25_000  # ten times as much was written
    assert sorted(path.name for path in world.file.path.parent.iterdir()) == [
        "journal",
        "journal.lock",
    ]
    again = world.restart()
    now = time.monotonic()
    assert again.registers.meter_kwh(now) == world.registers.meter_kwh(now) == 600
    assert {one.session_id for one in again.registers.ended} >= {
        f"session-{number}" for number in range(560, 600)
    }


def test_what_is_reported_while_nothing_can_be_written_is_what_was_reported_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.use(Substation(100, 60, time_scale=60))
    register = world.begin("s")
    assert world.journal.reportable([(register, 0.25)], time.monotonic()) == [(register, 0.25)]
    fail_syncs(monkeypatch, errno.EIO)

    assert world.journal.reportable([(register, 0.5)], time.monotonic()) == [(register, 0.25)]
    assert world.journal.failing_since is not None
    assert not world.journal.commit()
    monkeypatch.undo()
    wait_until(lambda: world.journal.failing_since is None)
    assert world.journal.reportable([(register, 0.75)], time.monotonic()) == [(register, 0.75)]


def test_what_was_reported_before_is_as_old_as_its_energy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.use(Substation(100, 60, time_scale=60))
    began = time.monotonic()
    register = world.begin("s")
    journal = world.journal
    with monkeypatch.context() as disk:
        fail_syncs(disk, errno.EIO)
        journal.reportable([(register, 0.1)], began + 1)
        assert journal.age_s(register, began + 1) == pytest.approx(1, abs=0.1)  # it had none
    wait_until(lambda: journal.failing_since is None)
    # That energy is on disk by now, and no newer for it.
    assert register.reported_kwh == 0.1
    assert journal.age_s(register, began + 3) == 2

    journal.reportable([(register, 0.25)], began + 4)
    assert journal.age_s(register, began + 4) == 0
    fail_syncs(monkeypatch, errno.EIO)
    journal.reportable([(register, 0.5)], began + 6)
    assert journal.age_s(register, began + 6) == 2
    world.registers.stop(register, time.monotonic(), Reason.CALLER)
    assert not journal.commit()
    assert journal.age_s(register, began + 7) == 3  # its end is not on disk
    monkeypatch.undo()
    wait_until(lambda: journal.failing_since is None)
    assert register.reported_kwh == register.ended_kwh
    assert journal.age_s(register, began + 9) == 0  # it is final


def test_an_end_during_a_write_is_not_reported_before_it_is_on_disk_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = world.begin("s")
    world.journal.note(register)
    slow_syncs(monkeypatch, 0.5)
    write = gevent.spawn(world.journal.commit)
    gevent.sleep(0.2)
    world.registers.finish(register, time.monotonic())

    assert write.get(timeout=5)

    told = world.journal.reportable([(register, 1.0)], time.monotonic())
    assert told == [(register, 0.0)]  # the next write takes longer than a poll waits
    assert world.journal.commit()
    assert world.journal.reportable([(register, 1.0)], time.monotonic()) == [(register, 1.0)]


def test_a_restored_session_keeps_its_energy_while_nothing_can_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.charge("s")
    assert world.journal.commit()
    again = world.restart()
    register = again.registers.get("s")
    assert register is not None
    fail_syncs(monkeypatch, errno.EIO)
    again.charge("another")

    told = again.journal.reportable([(register, register.ended_kwh)], time.monotonic())

    assert told == [(register, 1.0)]
    assert again.journal.age_s(register, time.monotonic()) == 0


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC])
def test_after_a_write_that_failed_all_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    world.charge("before")
    assert world.journal.commit()
    fail_syncs(monkeypatch, fault)
    for number in range(30):
        world.charge(f"meanwhile-{number}")
    assert not world.journal.commit()
    assert not world.journal.commit()
    monkeypatch.undo()

    wait_until(lambda: world.journal.failing_since is None)

    again = world.restart()
    assert {one.session_id for one in again.registers.ended} == {
        "before",
        *(f"meanwhile-{number}" for number in range(30)),
    }
    assert again.registers.meter_kwh(time.monotonic()) == 31


def test_a_disk_that_is_slow_holds_nobody_up_for_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = world.begin("s")
    slow_syncs(monkeypatch, 4)
    began = time.monotonic()
    assert world.journal.reportable([(register, 0.5)], time.monotonic()) == [(register, 0.0)]
    assert time.monotonic() - began < 1
    assert world.journal.failing_since is None
    assert not world.journal.commit()
    assert 1.5 < time.monotonic() - began < 3.5
    assert world.journal.failing_since is not None
    monkeypatch.undo()
    wait_until(lambda: world.journal.failing_since is None)


def test_the_event_loop_is_not_held_up_by_commits(world: World) -> None:
    late = []

    def look() -> None:
        while True:
            began = time.monotonic()
            gevent.sleep(0.001)
            late.append(time.monotonic() - began - 0.001)

    looking = gevent.spawn(look)
    for number in range(300):
        world.charge(f"s{number}")
        assert world.journal.commit()
    looking.kill()

    assert len(world.commits) >= 300
    assert sorted(late)[len(late) // 2] < 0.005


def test_the_end_of_the_process_writes_what_was_noted(world: World) -> None:
    world.charge("s")
    register = world.begin("cut")
    gevent.sleep(1e-5)
    world.registers.stop(register, time.monotonic(), Reason.SHUT_DOWN)
    world.journal.close()

    assert len(list(world.restart().registers.ended)) == 2
