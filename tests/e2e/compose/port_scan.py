"""Run inside a container (`python - FIRST-LAST ADDRESS ... < port_scan.py`): prints what answers.

The standard library alone, for that is all that the image is sure to have.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice, product

_AT_ONCE = 4000
# After the last of a batch was asked; an answer on the same machine takes far less. Where a
# firewall drops what is sent, nothing ever comes back.
_WAIT_S = 0.5

Door = tuple[str, int]


def open_doors(addresses: Sequence[str], ports: Sequence[int]) -> Iterator[Door]:
    """Yield each address and port that takes a TCP connection."""
    doors = product(addresses, ports)
    while batch := list(islice(doors, _AT_ONCE)):
        with selectors.DefaultSelector() as selector:
            for door in batch:
                knock(door, selector)
            yield from answers(selector)


def knock(door: Door, selector: selectors.BaseSelector) -> None:
    """Begin to connect; a network that has no way there refuses at once."""
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(door)
    except BlockingIOError:
        selector.register(sock, selectors.EVENT_WRITE, door)
    except OSError:
        sock.close()


def answers(selector: selectors.BaseSelector) -> Iterator[Door]:
    """Yield the doors that open in time; disconnect all."""
    deadline = time.monotonic() + _WAIT_S
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            selector.unregister(key.fileobj)
            assert isinstance(key.fileobj, socket.socket)
            if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                yield key.data
            key.fileobj.close()
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()


if __name__ == "__main__":
    first, last = map(int, sys.argv[1].split("-"))
    json.dump(sorted(open_doors(sys.argv[2:], range(first, last + 1))), sys.stdout)
