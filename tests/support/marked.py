"""Finds the processes of a run, whatever became of their parents."""

from pathlib import Path

from tests.support.deadline import eventually

_MARK = "EV_GRID_TEST_RUN"


def marking(mark: str) -> dict[str, str]:
    """Return the environment with which a program and all that it starts carry a mark."""
    # Where setproctitle is installed gunicorn writes its title over its environment.
    return {_MARK: mark, "SPT_NOENV": "1"}


def carrying(mark: str) -> list[int]:
    """List the processes that carry a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdigit()
                and f"{_MARK}={mark}".encode() in (entry / "environ").read_bytes()
            ):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


def none_is_left(mark: str) -> None:
    """Hold that no process carries a mark; one that was killed may take a moment to be gone."""

    def gone() -> None:
        assert carrying(mark) == []

    eventually(gone, within_s=5)
