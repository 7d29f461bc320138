"""Free ports: no two processes pick the same one, though nobody listens there yet."""

import itertools
import subprocess
import sys

import pytest

from local_stack import grid
from local_stack.grid import Ports
from local_stack.process import ROOT

_FIRST = 5_000  # of the range from which ports are picked
_PICK_AND_STAY = f"""
import itertools, sys
from local_stack import grid
grid._next_port = itertools.count({_FIRST})
print(*grid._free_ports(5), flush=True)
sys.stdin.read()
"""


def test_a_port_that_another_process_picked_is_not_picked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PICK_AND_STAY],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        monkeypatch.setattr(grid, "_next_port", itertools.count(_FIRST))
        ours = Ports.free(3)
        other.communicate()
    assert len(theirs) == 5
    assert not theirs & {ours.gateway, ours.balancer, ours.prometheus, *ours.substations}
