"""Interrupt a waiting greenlet, for example when a caller disconnects.

It works like `gevent.Timeout`: a callback in gevent's hub throws into the greenlet wherever it
waits. The hub runs only while no greenlet does, so the exception is never raised outside the `with`
block.
"""

import socket
from typing import Any, Self

from gevent import get_hub, getcurrent
from gevent.socket import wait

from grid_common.http.sockets import has_disconnected

# How often to look for a disconnect behind pipelined bytes, seconds. Such bytes hide the end of the
# stream from a peek, so the kernel's connection state is read instead.
_LOOK_AGAIN_S = 0.25
_READABLE = 1  # libev's EV_READ
# Where the server puts the `Caller` of a request, in its WSGI environ.
CALLER = "http.caller"


class ClientDisconnected(BaseException):
    """The caller disconnected.

    A BaseException, like gevent.Timeout, so that no library swallows it.
    """


class CancelScope:
    """A block that others can interrupt; `with CancelScope() as scope` yields its handle."""

    def __init__(self) -> None:
        self._greenlet: Any = getcurrent()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def throw(self, error: BaseException) -> None:
        """Raise `error` in the block when the hub next runs, unless the block has ended."""
        get_hub().loop.run_callback(self.throw_from_hub, error)

    def throw_from_hub(self, error: BaseException) -> None:
        """Raise `error` in the block now; only callbacks of the hub may call this."""
        if self._open:
            self._open = False
            self._greenlet.throw(error)

    def close(self) -> None:
        """End the block: an exception that is still scheduled is dropped."""
        self._open = False


class Caller:
    """The peer of a connection: `with caller:` runs only while it is connected.

    Raises:
        ClientDisconnected: in the block, when the caller closes its side of the connection.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        """Prepare to watch. Without a connection, as in a unit test, nothing is watched."""
        self._sock = sock
        self._watcher: Any = None if sock is None else get_hub().loop.io(sock.fileno(), _READABLE)
        self._timer: Any = None

    def __enter__(self) -> Self:
        if self._watcher is not None:
            self._cancel_scope = CancelScope()
            self._watcher.start(self._readable)
        return self

    def __exit__(self, *_error: object) -> None:
        # Once stopped, neither refers to this object. A held request must leave no reference cycle
        # behind, which only a full garbage collection would find.
        if self._watcher is not None:
            self._cancel_scope.close()
            self._watcher.stop()
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def wait_readable(self) -> None:
        """Wait until bytes arrive or the connection ends; other greenlets run first.

        A socket's own `recv` waits only if there is nothing to read, so a caller that always sends
        would monopolize the event loop. If there is nothing to read, it costs a failed system call
        first.
        """
        if self._watcher is not None:
            wait(self._watcher)

    def close(self) -> None:
        """Release the connection, before it is closed."""
        if self._watcher is not None:
            self._watcher.close()

    def check(self) -> None:
        """Raise ClientDisconnected if the caller disconnected.

        If a timer and the disconnect are due together, for example when this process resumes after
        a freeze, the timer may run first. Call this before counting a success.
        """
        if self._is_gone():
            raise ClientDisconnected

    def is_there(self) -> bool:
        """Return whether the caller is still connected, as far as the kernel knows."""
        return not self._is_gone()

    def _is_gone(self) -> bool:
        return self._sock is not None and has_disconnected(self._sock)

    # Both run in the hub.

    def _readable(self) -> None:
        self._watcher.stop()  # pipelined bytes keep it readable: poll instead
        self._timer = get_hub().loop.timer(_LOOK_AGAIN_S, _LOOK_AGAIN_S)
        self._timer.start(self._look)
        self._look()

    def _look(self) -> None:
        if self._is_gone():
            self._cancel_scope.throw_from_hub(ClientDisconnected())
