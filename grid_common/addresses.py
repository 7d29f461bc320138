"""Map the addresses of one caller to one key."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_network


@lru_cache(1024)  # parsing an address costs more than any use of the result
def network(address: str) -> str:
    """Return the network that identifies a caller: the IPv4 address, or the IPv6 /64 prefix."""
    if ":" not in address:
        return address
    bare = address.partition("%")[0]
    mapped = IPv6Address(bare).ipv4_mapped
    return str(mapped or ip_network((bare, 64), strict=False))
