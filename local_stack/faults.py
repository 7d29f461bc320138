"""The faults: each function injects one, holds it for a while, undoes it, and returns.

A killed or restarted part has been started again by then, but may not be ready yet. Faults of
processes work for containers, too: anything with the methods of a `Part`.
"""

import time
from typing import Protocol

from local_stack.fault_proxy import FaultProxy

# Half of a poll's timeout in each direction would be too slow for the balancer; this is not.
_DELAY_S = 0.2


class Part(Protocol):
    """What faults are injected into: a `local_stack.process.Process`, or a container."""

    @property
    def name(self) -> str:
        """Name in reports."""

    def start(self) -> None:
        """Start it without waiting until it is ready."""

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""

    def freeze(self) -> None:
        """Stop its execution while its connections stay open, as SIGSTOP does."""

    def thaw(self) -> None:
        """Resume it, as SIGCONT does."""

    def restart(self) -> None:
        """Stop it gracefully, and start it again as soon as it has ended."""


def kill(part: Part, hold_s: float) -> None:
    """Send SIGKILL; start it again after `hold_s` seconds."""
    part.kill()
    time.sleep(hold_s)
    part.start()


def freeze(part: Part, hold_s: float) -> None:
    """Send SIGSTOP; SIGCONT after `hold_s` seconds."""
    part.freeze()
    try:
        time.sleep(hold_s)
    finally:
        part.thaw()


def slow(link: FaultProxy, hold_s: float) -> None:
    """Delay each piece of every stream by 0.2 s in both directions, for `hold_s` seconds."""
    link.slow(_DELAY_S)
    try:
        time.sleep(hold_s)
    finally:
        link.heal()


def cut(link: FaultProxy, hold_s: float) -> None:
    """Forward nothing, not even the end of a stream, for `hold_s` seconds."""
    link.cut()
    try:
        time.sleep(hold_s)
    finally:
        link.heal()
