"""A substation whose process dies once, at the moment that `DIES` names.

Of the commit that says that a session is charged: `unwritten`, before anything is written; `torn`,
when half of it is; `synced`, when it is on the disk and nobody has been told. Of a start that finds
a session cut off: `replaced`, when the journal says that it has ended.
"""

import os
import runpy
import signal
from pathlib import Path
from typing import Any

from substation_service import journal_file

MOMENT = os.environ["DIES"]
DIED = Path(os.environ["JOURNAL"]).with_name("died")


def die() -> None:
    DIED.touch()
    os.kill(os.getpid(), signal.SIGKILL)


write, sync, replace = journal_file._write, os.fdatasync, os.replace
written = b""


def dying_write(fd: int, data: bytes) -> None:
    global written
    written = data
    if b'"charged"' in data and not DIED.exists():
        if MOMENT == "unwritten":
            die()
        if MOMENT == "torn":
            write(fd, data[: len(data) // 2])
            die()
    write(fd, data)


def dying_sync(fd: Any) -> None:
    sync(fd)
    if MOMENT == "synced" and b'"charged"' in written and not DIED.exists():
        die()


def dying_replace(src: Any, dst: Any, **folders: Any) -> None:
    replace(src, dst, **folders)
    if MOMENT == "replaced" and b'"restarted"' in Path(dst).read_bytes() and not DIED.exists():
        die()


journal_file._write = dying_write
os.replace = dying_replace
os.fdatasync = dying_sync
runpy.run_module("substation_service", run_name="__main__")
