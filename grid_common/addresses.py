"""Which addresses are one caller's."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_network


@lru_cache(1024)  # reading an address costs more than what it is read for
def network(address: str) -> str:
    """Return what one caller's addresses have in common: of IPv6 it has 2^64 to choose from."""
    if ":" not in address:
        return address
    bare = address.partition("%")[0]
    mapped = IPv6Address(bare).ipv4_mapped
    return str(mapped or ip_network((bare, 64), strict=False))
