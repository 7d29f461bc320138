"""If too few files may be open, a service does not start, and says how many it needs."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.grid import Ports
from local_stack.process import ROOT

SERVICES = ("charge_request_service", "load_balancer", "substation_service")


def allow(files: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def run(
    command: list[str], files: int, timeout_s: float = 20, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "SUBSTATIONS": "http://127.0.0.1:1", **env},
        preexec_fn=allow(files),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_refuses_to_start_and_says_how_many_it_needs(service: str) -> None:
    ended = run([service], 64, PORT=str(Ports.free(0).gateway))
    assert ended.returncode == 2
    assert "the limit on open files is 64, and at least 164 are needed" in ended.stderr
    assert "`ulimit -n 20100`" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_substation_needs_files_for_all_of_its_points() -> None:
    ended = run(["substation_service"], 300, PORT="0", CHARGING_POINTS="200")
    assert ended.returncode == 2
    assert "the limit on open files is 300, and at least 556 are needed" in ended.stderr


def test_a_whole_grid_refuses_to_start_and_says_how_many_it_needs(tmp_path: Path) -> None:
    ports = Ports.free(1)
    ended = run(
        [
            *("local_stack", "--no-prometheus", "--points", "4", "--folder", str(tmp_path)),
            *("--gateway-port", str(ports.gateway), "--balancer-port", str(ports.balancer)),
            *("--substation-port", str(ports.substations[0])),
        ],
        64,
        timeout_s=60,
    )
    assert ended.returncode != 0
    assert "the limit on open files is 64, and at least 164 are needed" in ended.stderr
    assert "The grid is up" not in ended.stdout
