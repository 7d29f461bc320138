"""Names of hosts: the addresses that they lead to."""

import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address

__all__ = ["choose_family", "is_address", "listens", "resolve"]


def resolve(host: str, port: int) -> list[list[str]]:
    """Look a host's addresses up: those of IPv4, then those of IPv6, where there are any; sorted.

    Raises:
        OSError: it cannot be found.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families = (
        sorted({str(address[0]) for kind, *_, address in found if kind == family})
        for family in (socket.AF_INET, socket.AF_INET6)
    )
    return [addresses for addresses in families if addresses]


def is_address(host: str) -> bool:
    """Tell whether a host is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def choose_family(
    families: Sequence[Sequence[str]],
    *,
    last: Collection[str],
    is_well: Callable[[str], bool],
    listens: Callable[[str], bool],
) -> Sequence[str]:
    """Choose between the IPv4 and the IPv6 addresses of a host: they lead to the same servers.

    The family chosen last stays as long as it serves, so that no server changes its address
    for nothing; only when none of its addresses is well are both tried.

    Args:
        families: as `resolve` gives them.
        last: what was chosen last.
        is_well: tells whether an address is in use and serves.
        listens: tells whether a connection to an address can be made.
    """
    if len(families) < 2:
        return families[0] if families else ()
    first, second = sorted(families, key=lambda family: not set(family) & set(last))
    if any(map(is_well, first)) or any(map(listens, first)) or not any(map(listens, second)):
        return first
    return second


def listens(address: str, port: int, timeout_s: float) -> bool:
    """Tell whether a connection can be made."""
    try:
        socket.create_connection((address, port), timeout_s).close()
    except OSError:
        return False
    return True
