"""Hosts and URLs in settings: whatever passes the checks can be looked up and connected to."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

_HIGHEST_PORT = 65_535
_MAX_NAME_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)
# Resolvers read a name that ends like this as an IPv4 address, in unexpected notations.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_URL = re.compile(
    r"http://(?P<user>[^/?#]*@)?(?P<host>\[[^][/?#@]*\]|[^][/?#@:]*)(?::(?P<port>[^/?#@]*))?/?",
    re.IGNORECASE,
)
_USER_IN_URL = re.compile(r"//\S*@")  # matches too much rather than half a password


class HttpUrl(NamedTuple):
    """An `http://host:port` URL; an IPv6 host is stored without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{in_url(self.host)}:{self.port}"


def is_address(host: str) -> bool:
    """Return whether a host is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def parse_http_url(text: str) -> HttpUrl:
    """Parse `http://host:port`; the default port is 80.

    Raises:
        ValueError: it has another form, or cannot be connected to; the message says why and shows
            no password.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted_url(text)} is not of the form `http://host:port`")
    if found["user"]:
        raise ValueError(
            f"{quoted_url(text)} has a user or a password, which are never sent: remove them, and "
            "if the host requires them, let a proxy in front of it add them"
        )
    try:
        return HttpUrl(_connectable(parse_host(found["host"])), _port(found["port"] or "80"))
    except ValueError as error:
        raise ValueError(f"{quoted_url(text)}: {error}") from None


def parse_host(text: str) -> str:
    """Parse a host name or an address, IPv6 with or without brackets; return its normal form.

    Raises:
        ValueError: it is neither; the message says why.
    """
    host = text.lower()
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host or bracketed:
        return _ipv6(host[1:-1] if bracketed else host)
    if not host.isascii():
        raise ValueError(
            f"the host {host!a} is not ASCII; give the name in its DNS form, `xn--...`"
        )
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(host) > _MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{host[:80]!r} is not a host name; it takes labels of 1 to 63 characters of "
            f"A-Z a-z 0-9 _ - with dots between them, {_MAX_NAME_LENGTH} characters in all"
        )
    return host


def in_url(host: str) -> str:
    """Add the brackets that an IPv6 address needs in front of a port."""
    return f"[{host}]" if ":" in host else host


def quoted_url(text: str) -> str:
    """Quote a URL in a message: on one line, shortened, without its password."""
    return ascii(hide_passwords(text.strip())[:200])


def hide_passwords(text: str) -> str:
    """Mask users and passwords in the URLs of a text."""
    return _USER_IN_URL.sub("//***@", text)


def _connectable(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a name
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"nothing can be connected to at {host}; give the address of one host")
    return host


def _port(text: str) -> int:
    port = text.lstrip("0")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= _HIGHEST_PORT):
        raise ValueError(f"port {text[:20]!a} is not valid; it takes 1 to {_HIGHEST_PORT}")
    return int(port)


def _ipv6(host: str) -> str:
    if "%" in host:
        raise ValueError(
            f"{host!a} is a link-local address with a zone, which cannot be used; give the host's "
            "global or private address, or a name that resolves to it"
        )
    try:
        address = IPv6Address(host)
    except ValueError:
        raise ValueError(f"{host[:80]!a} is not an IPv6 address") from None
    return str(address.ipv4_mapped or address)


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise ValueError(f"{host[:80]!a} is not an IPv4 address") from None
