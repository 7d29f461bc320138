"""A link between two parts of the grid that can be delayed, or cut silently."""

import asyncio
import threading
from typing import Self

_PIECE_BYTES = 16_384


class FaultProxy:
    """A TCP proxy on loopback that forwards its own port to a target's.

    It forwards bytes, ends of streams and resets as they come. While it is cut it forwards nothing
    and closes nothing: both ends see silence, as with a pulled cable. Whatever was in flight
    arrives once it is healed.
    """

    def __init__(self, port: int, target_port: int, target_host: str = "127.0.0.1") -> None:
        """Start to forward; `close` ends it."""
        self.name = f"the link to port {target_port}"
        self._port = port
        self._target_port = target_port
        self._target_host = target_host
        self._delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        # Which direction passes: from the caller to the target, and back.
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self._calls: set[asyncio.Task[None] | None] = set()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", port, backlog=1024)
        )
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """URL under which callers reach the target."""
        return f"http://127.0.0.1:{self._port}"

    def slow(self, delay_s: float) -> None:
        """Delay every piece of a stream, in both directions; 0 removes the delay."""
        self._delay_s = delay_s

    def cut(self, *, there: bool = True, back: bool = True) -> None:
        """Stop forwarding: to the target, back to its callers, or in both directions."""
        if there:
            self._loop.call_soon_threadsafe(self._there.clear)
        if back:
            self._loop.call_soon_threadsafe(self._back.clear)

    def heal(self) -> None:
        """Forward everything again, starting with what was held back."""
        self._delay_s = 0.0
        self._loop.call_soon_threadsafe(self._there.set)
        self._loop.call_soon_threadsafe(self._back.set)

    def close(self) -> None:
        """Close all connections, and stop listening."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _close(self) -> None:
        self._server.close()
        self._there.set()
        self._back.set()
        calls = [call for call in self._calls if call]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        self._calls.add(call)
        try:
            await self._carry(near, back)
        except asyncio.CancelledError:
            pass  # by `close`; Python 3.11 would report a callback that ends this way
        finally:
            self._calls.discard(call)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        ends = [back]
        try:
            far, there = await asyncio.open_connection(self._target_host, self._target_port)
            ends.append(there)
            await asyncio.gather(
                self._pump(near, there, self._there), self._pump(far, back, self._back)
            )
        except OSError:
            # Nobody listens there, or one end broke the connection: break the other one likewise.
            await self._back.wait()
            for end in ends:
                end.transport.abort()
        finally:
            for end in ends:
                end.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        while piece := await source.read(_PIECE_BYTES):
            await self._held_up(passes)
            sink.write(piece)
            await sink.drain()
        await self._held_up(passes)
        sink.write_eof()

    async def _held_up(self, passes: asyncio.Event) -> None:
        await asyncio.sleep(self._delay_s)
        await passes.wait()
