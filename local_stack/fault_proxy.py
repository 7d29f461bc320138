"""A link between two parts of the grid that can be made slow, or cut without a word."""

import asyncio
import threading
from typing import Self

_PIECE_BYTES = 16_384


class FaultProxy:
    """A TCP fault proxy on loopback, from a port of its own to a target's.

    It passes bytes, ends of streams and resets on as they come. While it is cut it passes none of
    them and closes nothing: both ends see silence, as when a cable is pulled; what was under way
    arrives once it is healed.
    """

    def __init__(self, port: int, target_port: int, target_host: str = "127.0.0.1") -> None:
        """Start to fault proxy; `close` ends it."""
        self.name = f"the link to port {target_port}"
        self._port = port
        self._target_port = target_port
        self._target_host = target_host
        self._delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        # Which way passes: from the caller to the target, and back.
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self._calls: set[asyncio.Task[None] | None] = set()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._fault_proxy, "127.0.0.1", port, backlog=1024)
        )
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where callers of the target find it."""
        return f"http://127.0.0.1:{self._port}"

    def slow(self, delay_s: float) -> None:
        """Hold every piece of a stream up for so long, each way; 0 is as fast as can be."""
        self._delay_s = delay_s

    def cut(self, *, there: bool = True, back: bool = True) -> None:
        """Pass nothing on from now on: to the target, back to its callers, or neither way."""
        if there:
            self._loop.call_soon_threadsafe(self._there.clear)
        if back:
            self._loop.call_soon_threadsafe(self._back.clear)

    def heal(self) -> None:
        """Pass everything on again, and what was held back first."""
        self._delay_s = 0.0
        self._loop.call_soon_threadsafe(self._there.set)
        self._loop.call_soon_threadsafe(self._back.set)

    def close(self) -> None:
        """Break off all that is relayed, and listen no more."""
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

    async def _fault_proxy(self, near: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        self._calls.add(call)
        try:
            await self._carry(near, answers)
        except asyncio.CancelledError:
            pass  # by `close`; Python 3.11 would complain of a call that ends so
        finally:
            self._calls.discard(call)

    async def _carry(self, near: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        ends = [answers]
        try:
            far, asks = await asyncio.open_connection(self._target_host, self._target_port)
            ends.append(asks)
            await asyncio.gather(
                self._pump(near, asks, self._there), self._pump(far, answers, self._back)
            )
        except OSError:
            # Nobody listens there, or one end broke off: the other is told in the same way.
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
