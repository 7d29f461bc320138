"""Breaking into a greenlet that waits.

For a caller that disconnects, for a substation that is lost.

The way is that of `gevent.Timeout`: a callback in gevent's hub throws into the greenlet at whatever
it waits for. Because the hub runs only while no greenlet does, the throw never lands outside the
`with` block.
"""

import socket
from typing import Any, Self

from gevent import get_hub, getcurrent
from gevent.socket import wait

from grid_common.http.sockets import has_disconnected

__all__ = ["Caller", "CancelScope", "ClientDisconnected"]

# How often to look for a disconnect behind bytes that the caller sent ahead (pipelining), seconds.
# Such bytes hide the end of the stream from a peek, so the kernel's own state is asked instead.
_LOOK_AGAIN_S = 0.25
_READABLE = 1  # libev's EV_READ


class ClientDisconnected(BaseException):
    """The caller disconnected.

    A BaseException, like gevent.Timeout, so that no library swallows it.
    """


class CancelScope:
    """A block that others can break into: `with CancelScope() as scope` is the block's handle."""

    def __init__(self) -> None:
        self._greenlet: Any = getcurrent()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

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


class Caller:
    """The other end of a connection: `with caller:` runs only for as long as it is connected.

    Raises:
        ClientDisconnected: in the block, when the caller closes its side of the connection.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        """Prepare to watch; without a connection, as in a unit test, there is nothing to see."""
        self._sock = sock
        self._watcher: Any = None if sock is None else get_hub().loop.io(sock.fileno(), _READABLE)
        self._timer: Any = None

    def __enter__(self) -> Self:
        if self._watcher is not None:
            self._cancel_scope = CancelScope()
            self._watcher.start(self._readable)
        return self

    def __exit__(self, *_error: object) -> None:
        # Stopped, neither knows this object any more: what a held vehicle leaves behind must not be
        # a cycle, which would be found by a full garbage collection alone.
        if self._watcher is not None:
            self._cancel_scope.close()
            self._watcher.stop()
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def wait_readable(self) -> None:
        """Wait until bytes have come, or the connection's end; others have their turn before.

        A socket's own `recv` waits only where there is nothing to read: one that is always fed
        would keep the event loop to itself. And one that is not is asked in vain each time.
        """
        if self._watcher is not None:
            wait(self._watcher)

    def close(self) -> None:
        """Let go of the connection, before it is closed."""
        if self._watcher is not None:
            self._watcher.close()

    def check(self) -> None:
        """Raise ClientDisconnected if the caller disconnected.

        Where a timer and the disconnect are due together, as when this process wakes from a freeze,
        the timer may come first: whoever is about to count a success asks here before.
        """
        if self._is_gone():
            raise ClientDisconnected

    def is_there(self) -> bool:
        """Tell whether the caller has not disconnected, as far as this machine knows."""
        return not self._is_gone()

    def _is_gone(self) -> bool:
        return self._sock is not None and has_disconnected(self._sock)

    # Both run in the hub.

    def _readable(self) -> None:
        self._watcher.stop()  # bytes sent ahead keep it readable: look now and then instead
        self._timer = get_hub().loop.timer(_LOOK_AGAIN_S, _LOOK_AGAIN_S)
        self._timer.start(self._look)
        self._look()

    def _look(self) -> None:
        if self._is_gone():
            self._cancel_scope.throw_from_hub(ClientDisconnected())
