"""The file of substations is followed while the balancer runs."""

from pathlib import Path

import pytest

from load_balancer.entries_file import EntriesFile
from load_balancer.settings import Settings
from tests.support.logs import captured_log

ONE = '[substations.north]\nurl = "http://10.0.0.1:8000"\n'
TWO = f'{ONE}[substations.south]\nurl = "http://10.0.0.2:8000"\n'


class Followed:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(ONE)
        self.log, self.lines = captured_log()
        self.settings = Settings(substations_file=path)
        self.restart()

    def restart(self) -> None:
        self.file = EntriesFile(self.settings, self.log)

    def names(self) -> list[str]:
        return [entry.name for entry in self.file.entries]

    def reported(self) -> list[str]:
        return [line["event"] for line in self.lines]


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "substations.toml")


def test_a_change_is_noticed_and_an_unchanged_file_is_not_read(followed: Followed) -> None:
    assert followed.names() == ["north"]
    assert not followed.file.reload_if_changed()
    followed.path.write_text(TWO)
    assert followed.file.reload_if_changed()
    assert followed.names() == ["north", "south"]
    assert not followed.file.reload_if_changed()
    assert followed.reported() == ["substations reloaded"]


def test_a_change_that_says_the_same_changes_nothing(followed: Followed) -> None:
    followed.path.write_text(f"# a comment\n{ONE}")
    assert not followed.file.reload_if_changed()
    assert followed.reported() == []


@pytest.mark.parametrize("bad", ["[", "", '[substations.x]\nurl = "a"', None])
def test_a_bad_edit_keeps_the_last_good_one_and_says_so_until_it_is_mended(
    followed: Followed, bad: str | None
) -> None:
    if bad is None:
        followed.path.unlink()
    else:
        followed.path.write_text(bad)
    assert not followed.file.reload_if_changed()
    assert followed.names() == ["north"]
    assert followed.file.problem is not None
    assert followed.file.problem.startswith(f"{followed.path}: ")

    followed.path.write_text(f"{ONE}\n")
    followed.file.reload_if_changed()

    assert followed.file.problem is None
    assert followed.reported() == ["substations not reloaded", "substations reloaded"]


def test_a_process_that_comes_later_reads_the_file_as_it_is_then(followed: Followed) -> None:
    followed.path.write_text(TWO)
    followed.restart()
    assert followed.names() == ["north", "south"]


def test_a_process_that_comes_later_and_finds_a_bad_file_has_what_the_service_began_with(
    followed: Followed,
) -> None:
    followed.path.write_text("[")
    followed.restart()
    assert followed.names() == ["north"]
    assert followed.file.problem is not None


def test_without_a_file_there_is_no_problem() -> None:
    file = EntriesFile(Settings(substations="http://a:1"), captured_log()[0])
    assert [entry.name for entry in file.entries] == ["a"]
    assert file.problem is None
    assert not file.reload_if_changed()
