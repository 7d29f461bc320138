"""Substations that cost next to nothing: one process with an address for each.

`python -m benchmarks.overhead.many_substations PORT COUNT`. A charge ends as soon as it begins. The
page also has vehicles of others, which stay. Random values are the same each time.
"""

import asyncio
import gc
import sys
from collections.abc import Iterator
from random import Random
from typing import cast

from load_tester.mix import FAST_MIX

# Points, kW per point, limit in kW.
KINDS = ((40, 50.0, 1000.0), (16, 350.0, 2800.0), (80, 11.0, 500.0))
_TAKEN = 0.6  # so that three have more free points than vehicles arrive at a time
_MEAN_KWH = 16.0
_CHARGED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
    b'{"status":"charged"}'
)
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def address(number: int) -> str:
    """Return the address of a substation."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def pages(count: int) -> Iterator[bytes]:
    """Yield the metrics page of each."""
    random = Random(1)
    for number in range(count):
        points, point_power_kw, limit_kw = KINDS[number % len(KINDS)]
        powers = [
            min(FAST_MIX.draw(random)[1] or point_power_kw, point_power_kw)
            for _ in range(points)
            if random.random() < _TAKEN
        ]
        gauges = {
            "current_load": len(powers),
            "capacity": points,
            "power_kw": min(limit_kw, sum(powers)),
            "power_limit_kw": limit_kw,
            "point_power_kw": point_power_kw,
            "committed_power_kw": sum(powers),
            "remaining_energy_kwh": len(powers) * _MEAN_KWH * random.uniform(0.5, 1.5),
        }
        page = "".join(
            f"# HELP substation_{name} It.\n# TYPE substation_{name} gauge\n"
            f"substation_{name} {value}\n"
            for name, value in gauges.items()
        )
        yield page.encode()


class _Substation(asyncio.Protocol):
    """A connection to one of them."""

    def __init__(self, page: bytes) -> None:
        self._page = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(page), page)
        )
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond to a request; the balancer sends each in one piece."""
        if data.startswith(b"POST"):
            self._transport.write(_CHARGED)
        elif data.startswith(b"GET /metrics"):
            self._transport.write(self._page)
        else:
            self._transport.write(_NOT_FOUND)


async def _serve(port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    for number, page in enumerate(pages(count)):
        await loop.create_server(
            lambda page=page: _Substation(page),  # type: ignore[misc] # mypy infers no default
            address(number),
            port,
            backlog=128,
        )
    gc.freeze()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
