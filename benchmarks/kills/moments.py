"""Kills at critical moments: at a system call, or when a vehicle gets its last kWh."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.kills.plan import Moment

_LOOK_EVERY_S = 0.001
# Tracing slows a process; if it makes no such call for this long, it is killed anyway. Seconds.
_PATIENCE_S = 3.0
_ENDED = b'"session ended"'
_CALLS = {
    Moment.COMMIT: "fsync,fdatasync,sync_file_range,msync",
    Moment.SEND: "sendto,sendmsg",
}


def can_trace() -> bool:
    """Return whether parts can be killed at system calls: strace exists and may trace."""
    program = shutil.which("strace")
    if program is None:
        return False
    done = subprocess.run(
        [program, "-qq", "-e", "trace=none", "true"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def kill_at_call(pids: Sequence[int], moment: Moment, nth: int) -> bool:
    """Kill each process at its nth call of the given kind; wait until one is dead.

    Returns:
        Whether one was killed; False if nothing was committed or sent in time.
    """
    calls = _CALLS[moment]
    options = ["-qq", "-f", "-o", "/dev/null", "-e", f"trace={calls}"]
    inject = ["-e", f"inject={calls}:signal=SIGKILL:when={nth}"]
    tracer = subprocess.Popen(
        ["strace", *options, *inject, *(word for pid in pids for word in ("-p", str(pid)))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < deadline and tracer.poll() is None:
            if not all(Path(f"/proc/{pid}").exists() for pid in pids):
                return True
            time.sleep(_LOOK_EVERY_S)
        return tracer.poll() is not None  # strace ends with the last traced process
    finally:
        tracer.terminate()
        with suppress(subprocess.TimeoutExpired):
            tracer.wait(2)
        tracer.kill()
        tracer.wait()


def wait_for_end(logs: Sequence[Path], patience_s: float = _PATIENCE_S) -> bool:
    """Wait until a substation logs that a session ended; return whether one did in time."""
    sizes = {log: log.stat().st_size for log in logs}
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        for log, size in sizes.items():
            with log.open("rb") as file:
                file.seek(size)
                if _ENDED in file.read():
                    return True
        time.sleep(_LOOK_EVERY_S)
    return False
