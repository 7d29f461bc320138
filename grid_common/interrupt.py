"""Breaking into a greenlet that waits: for a caller that hangs up, for a site that is lost.

The way is that of `gevent.Timeout`: a callback in gevent's hub throws into the greenlet at whatever
it waits for. Because the hub runs only while no greenlet does, the throw never lands outside the
`with` block.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gevent import get_hub, getcurrent

from grid_common.sockets import has_hung_up

__all__ = ["Caller", "CallerGone", "Interrupt", "interruptible", "while_caller_waits"]

# How often to look for a hang-up behind bytes that the caller sent ahead (pipelining), seconds.
# Such bytes hide the end of the stream from a peek, so the kernel's own state is asked instead.
_LOOK_AGAIN_S = 0.25
_READABLE = 1  # libev's EV_READ


class CallerGone(BaseException):
    """The caller hung up. A BaseException, like gevent.Timeout, so that no library swallows it."""


class Interrupt:
    """Handle that breaks into the greenlet that opened the block."""

    def __init__(self) -> None:
        self._greenlet: Any = getcurrent()
        self._open = True

    def throw(self, error: BaseException) -> None:
        """Raise `error` in the block at the hub's next turn, unless the block has ended."""
        get_hub().loop.run_callback(self.throw_from_hub, error)

    def throw_from_hub(self, error: BaseException) -> None:
        """Raise `error` in the block now; only callbacks of the hub may call this."""
        if self._open:
            self._open = False
            self._greenlet.throw(error)

    def close(self) -> None:
        """End the block: a throw that is still on its way is dropped."""
        self._open = False


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Let others break into the block through the handle that it yields."""
    interrupt = Interrupt()
    try:
        yield interrupt
    finally:
        interrupt.close()


class Caller:
    """The other end of a request that is held."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock

    def check(self) -> None:
        """Raise CallerGone if the caller hung up.

        Where a timer and the hang-up are due together, as when this process wakes from a freeze,
        the timer may come first: whoever is about to count a success asks here before.
        """
        if self._sock is not None and has_hung_up(self._sock):
            raise CallerGone


@contextmanager
def while_caller_waits(environ: Mapping[str, Any]) -> Iterator[Caller]:
    """Run the block only as long as the caller of this WSGI request stays connected.

    Raises:
        CallerGone: the caller closed its side of the connection.
    """
    sock: socket.socket | None = environ.get("grid.socket")
    if sock is None:  # not behind our server, as in a unit test: no connection to watch
        yield Caller(None)
        return
    interrupt = Interrupt()
    loop = get_hub().loop
    watcher = loop.io(sock.fileno(), _READABLE)
    timer = None

    # Both run in the hub. Neither knows itself: what a held vehicle leaves behind must not be a
    # cycle, which would be found by a full garbage collection alone.
    def look() -> None:
        if has_hung_up(sock):
            interrupt.throw_from_hub(CallerGone())

    def readable() -> None:
        nonlocal timer
        watcher.stop()  # bytes sent ahead keep it readable: look now and then instead
        timer = loop.timer(_LOOK_AGAIN_S, _LOOK_AGAIN_S)
        timer.start(look)
        look()

    watcher.start(readable)
    try:
        yield Caller(sock)
    finally:
        interrupt.close()
        watcher.close()
        if timer is not None:
            timer.close()
