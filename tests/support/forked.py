"""Starts services by forking a process that has loaded their libraries.

Loading them takes an interpreter a third of a second of CPU time, and the tests start hundreds of
services. This process loads what gunicorn's master has loaded when it forks its worker, before
gevent has patched anything. From there on a service behaves as under `python -m`. Services that
tests start with `make run` have their own interpreters.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from local_stack.grid import Grid
from local_stack.guardian import Guardian
from local_stack.process import LOOPBACK, ROOT, Process

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "charge_request_service.settings",
        "grid_common.server",
        "load_balancer.settings",
        "substation_service.settings",
        __name__,
    ]
)
_guardian = Guardian()


class _Forked:
    """A forked process, with the parts of Popen's interface that `Process` uses."""

    def __init__(self, module: str, env: Mapping[str, str], log: Path) -> None:
        self._process = _context.Process(target=_serve, args=(module, dict(env), log), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        os.write(_guardian.pipe(), f"+{self.pid}\n".encode())

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("a forked service", timeout or 0)
        _guardian.release(self.pid)
        return status

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class ForkedService(Process):
    """A service that is started by a fork."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        env: Mapping[str, str],
        port: int,
        log: Path,
        host: str = LOOPBACK,
    ) -> None:
        """Prepare it; `env` is added to this process' environment."""
        env = {**os.environ, "LOG_FORMAT": "json", "BIND_HOST": host, **env, "PORT": str(port)}
        command = [sys.executable, "-m", module]
        super().__init__(name, command, env=env, port=port, log=log, host=host)
        self._module = module

    def start(self) -> None:
        """Start it; `wait_until` waits until it is ready."""
        if "LD_PRELOAD" in self._env:  # takes effect when a program starts, not at a fork
            super().start()
            return
        forked = _Forked(self._module, self._env, self.log_file)
        self._popen = cast("subprocess.Popen[bytes]", forked)
        self._group = forked.pid


class ForkedGrid(Grid):
    """A grid whose services are started by forks."""

    def _service(
        self, name: str, module: str, port: int, env: Mapping[str, str], host: str = LOOPBACK
    ) -> Process:
        log = self.folder / f"{name}.log"
        env = {**self.env, **env, "BIND_HOST": host}
        return ForkedService(name, module, env=env, port=port, log=log, host=host)


def _serve(module: str, env: Mapping[str, str], log: Path) -> None:
    """Become the service, in its own session."""
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    with log.open("ab") as said, Path(os.devnull).open("rb") as nothing:
        for stream, file in enumerate((nothing, said, said)):
            os.dup2(file.fileno(), stream)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
