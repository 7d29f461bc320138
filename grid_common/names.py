"""Host names and the addresses that they resolve to."""

import socket
from collections.abc import Callable, Collection, Sequence


def resolve(host: str, port: int) -> list[list[str]]:
    """Look up a host's addresses: a sorted list of IPv4, then one of IPv6, without empty lists.

    Raises:
        OSError: the name does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families = (
        sorted({str(address[0]) for kind, *_, address in found if kind == family})
        for family in (socket.AF_INET, socket.AF_INET6)
    )
    return [addresses for addresses in families if addresses]


def choose_family(
    families: Sequence[Sequence[str]],
    *,
    last: Collection[str],
    is_healthy: Callable[[str], bool],
    listens: Callable[[str], bool],
) -> Sequence[str]:
    """Choose between the IPv4 and the IPv6 addresses of a host, which lead to the same servers.

    The last choice stays while it serves, so that no server changes its address without need. Both
    families are tried only if none of its addresses is healthy.

    `is_healthy` returns whether an address is in use and serves, and `listens` whether it accepts
    connections.
    """
    if len(families) < 2:
        return families[0] if families else ()
    first, second = sorted(families, key=lambda family: not set(family) & set(last))
    if any(map(is_healthy, first)) or any(map(listens, first)) or not any(map(listens, second)):
        return first
    return second


def listens(address: str, port: int, timeout_s: float) -> bool:
    """Return whether an address accepts a connection within `timeout_s` seconds."""
    try:
        socket.create_connection((address, port), timeout_s).close()
    except OSError:
        return False
    return True
