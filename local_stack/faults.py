"""The faults: each is injected, holds for a while, is undone, and returns.

A part that was killed or restarted has been started again by then, but may not be ready yet. Those
for processes are for containers too: anything with the methods of a `Part`.
"""

import time
from typing import Protocol

from local_stack.fault_proxy import FaultProxy

# Half of a poll's time limit there and half back would be too slow for the balancer; this is not.
_DELAY_S = 0.2


class Part(Protocol):
    """What can be faulted: a `local_stack.process.Process`, or a container."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def start(self) -> None:
        """Start it, without waiting until it is ready."""

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""

    def freeze(self) -> None:
        """Let it do nothing while its connections stand, as SIGSTOP does."""

    def thaw(self) -> None:
        """Let it go on, as SIGCONT does."""

    def restart(self) -> None:
        """Stop it gracefully and start it again."""


def kill(part: Part, hold_s: float) -> None:
    """SIGKILL; started again after `hold_s`."""
    part.kill()
    time.sleep(hold_s)
    part.start()


def freeze(part: Part, hold_s: float) -> None:
    """SIGSTOP; SIGCONT after `hold_s`."""
    part.freeze()
    try:
        time.sleep(hold_s)
    finally:
        part.thaw()


def restart(part: Part, _hold_s: float = 0) -> None:
    """SIGTERM, which drains; started again as soon as it has ended."""
    part.restart()


def slow(link: FaultProxy, hold_s: float) -> None:
    """Hold each piece of every stream up by 0.2 s, each way; for `hold_s`."""
    link.slow(_DELAY_S)
    try:
        time.sleep(hold_s)
    finally:
        link.heal()


def cut(link: FaultProxy, hold_s: float) -> None:
    """Pass nothing on, not even that a stream ended, for `hold_s`."""
    link.cut()
    try:
        time.sleep(hold_s)
    finally:
        link.heal()
