"""Hosts and URLs in settings: checked so that whatever passes can be looked up and connected to."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

_HIGHEST_PORT = 65_535
_MAX_NAME_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)
# Resolvers read a name that ends like this as an address, in forms that nobody means.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_URL = re.compile(
    r"http://(?P<user>[^/?#]*@)?(?P<host>\[[^][/?#@]*\]|[^][/?#@:]*)(?::(?P<port>[^/?#@]*))?/?",
    re.IGNORECASE,
)
_USER_IN_URL = re.compile(r"//\S*@")  # rather too much than half of a password


class HttpUrl(NamedTuple):
    """An `http://host:port`; an IPv6 host stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{in_url(self.host)}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether its host is an address: there is no name to look up."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


def parse_http_url(text: str) -> HttpUrl:
    """Read `http://host:port`; without a port it is 80.

    Raises:
        ValueError: it is of another form, or cannot be connected to; the message says why, and
            shows no password.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted_url(text)} is no `http://host:port`")
    if found["user"]:
        raise ValueError(
            f"{quoted_url(text)} has a user or a password, and none is sent: leave them out, and "
            "have a proxy in front of that host add them where it asks for them"
        )
    try:
        return HttpUrl(_connectable(parse_host(found["host"])), _port(found["port"] or "80"))
    except ValueError as error:
        raise ValueError(f"{quoted_url(text)}: {error}") from None


def parse_host(text: str) -> str:
    """Read a host name or an address, an IPv6 one with or without brackets; return its usual form.

    Raises:
        ValueError: it is neither, so no resolver could find it; the message says why.
    """
    host = text.lower()
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host or bracketed:
        return _ipv6(host[1:-1] if bracketed else host)
    if not host.isascii():
        raise ValueError(
            f"the host {host!a} is not ASCII; give the name in the form that DNS has, `xn--...`"
        )
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(host) > _MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{host[:80]!r} is no host name; it takes labels of 1 to 63 characters of "
            f"A-Z a-z 0-9 _ - with dots between them, {_MAX_NAME_LENGTH} characters in all"
        )
    return host


def in_url(host: str) -> str:
    """Put an IPv6 address into the brackets that it has before a port."""
    return f"[{host}]" if ":" in host else host


def quoted_url(text: str) -> str:
    """Quote a URL in a message: on one line, not too long, without its password."""
    return ascii(hide_passwords(text.strip())[:200])


def hide_passwords(text: str) -> str:
    """Blot out users and passwords of the URLs in a text."""
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
        raise ValueError(f"port {text[:20]!a} is none; it takes 1 to {_HIGHEST_PORT}")
    return int(port)


def _ipv6(host: str) -> str:
    if "%" in host:
        raise ValueError(
            f"{host!a} is an address of one link alone, which cannot be used; give the host's "
            "global or private address, or a name that leads to it"
        )
    try:
        address = IPv6Address(host)
    except ValueError:
        raise ValueError(f"{host[:80]!a} is no IPv6 address") from None
    return str(address.ipv4_mapped or address)


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise ValueError(f"{host[:80]!a} is no IPv4 address") from None
