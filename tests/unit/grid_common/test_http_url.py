"""Whatever passes can be looked up, connected to and written in a header."""

import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid_common.http_url import hide_passwords, parse_host, parse_http_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://substation1:5002", "substation1", 5002),
        ("http://substation1:5002/", "substation1", 5002),
        ("http://load_balancer", "load_balancer", 80),
        ("HTTP://Sites.Example.:8000", "sites.example.", 8000),
        ("http://10.0.0.1:1", "10.0.0.1", 1),
        ("http://[FD00:0::1]:65535", "fd00::1", 65535),
        ("http://[::ffff:10.0.0.1]:80", "10.0.0.1", 80),
        ("http://xn--lad-0la.example:80", "xn--lad-0la.example", 80),
    ],
)
def test_a_host_and_a_port_are_read(text: str, host: str, port: int) -> None:
    assert parse_http_url(text) == (host, port)


def test_it_is_written_as_it_is_sent() -> None:
    assert str(parse_http_url("http://[fd00::1]")) == "http://[fd00::1]:80"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no `http://host:port`"),
        ("substation1:5002", "is no `http://host:port`"),
        ("https://substation1:5002", "is no `http://host:port`"),
        ("http://substation1:5002/charge", "is no `http://host:port`"),
        ("http://substation1:5002?x=1", "is no `http://host:port`"),
        ("http://substation1:5002/#x", "is no `http://host:port`"),
        ("http://[::1]x:5002", "is no `http://host:port`"),
        ("http://:5002", "is no host name"),
        ("http://a..b:1", "is no host name"),
        ("http://.a:1", "is no host name"),
        ("http://a b:1", "is no host name"),
        ("http://a\tb:1", "is no host name"),
        ("http://a\n:1", "is no host name"),
        ("http://a%20b:1", "is no host name"),
        (f"http://{'a' * 64}:1", "is no host name"),
        (f"http://{'a.' * 130}b:1", "is no host name"),
        ("http://süd.example:1", "xn--"),
        ("http://\udcff:1", "xn--"),
        ("http://\uff11.0.0.1:1", "xn--"),
        ("http://127.1:1", "is no IPv4 address"),
        ("http://1:1", "is no IPv4 address"),
        ("http://010.0.0.1:1", "is no IPv4 address"),
        ("http://256.0.0.1:1", "is no IPv4 address"),
        ("http://0x7f000001:1", "is no IPv4 address"),
        ("http://[::g]:1", "is no IPv6 address"),
        ("http://[]:1", "is no IPv6 address"),
        ("http://[10.0.0.1]:1", "is no IPv6 address"),
        ("http://[fe80::1%eth0]:1", "one link alone"),
        ("http://0.0.0.0:1", "nothing can be connected to"),
        ("http://[::]:1", "nothing can be connected to"),
        ("http://224.0.0.1:1", "nothing can be connected to"),
        ("http://a:0", "it takes 1 to 65535"),
        ("http://a:99999", "it takes 1 to 65535"),
        ("http://a:-1", "it takes 1 to 65535"),
        ("http://a:5 002", "it takes 1 to 65535"),
        ("http://a:٣", "it takes 1 to 65535"),
        (f"http://a:{'9' * 5000}", "it takes 1 to 65535"),
        ("http://user:secret@a:1", "leave them out"),
        ("http://user@a:1", "leave them out"),
    ],
)
def test_what_cannot_be_connected_to_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="http") as raised:
        parse_http_url(text)
    told = str(raised.value)
    assert why in told
    assert told.isprintable()
    assert told.isascii()
    assert len(told) < 600


@pytest.mark.parametrize(
    "text",
    [
        "http://user:secret@a:1",
        "http://user:se/cret@a:1",
        "http://user:se?cret#s@a:1",
        "http://a@secret@b:1",
        "http://x:secret@[::1]:99999",
    ],
)
def test_no_message_shows_a_password(text: str) -> None:
    with pytest.raises(ValueError, match="http") as raised:
        parse_http_url(text)
    assert "cret" not in str(raised.value)
    assert hide_passwords(f"SUBSTATIONS=b=http://c:1,a={text}").count("cret") == 0


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9._:%\[\]-]{1,80}", fullmatch=True))
def test_every_host_that_passes_can_be_given_to_a_resolver(text: str) -> None:
    try:
        host = parse_host(text)
    except ValueError:
        return
    host.encode("idna")  # what the standard library does before it asks
    assert host.isascii()
    try:
        address = ip_address(host)
    except ValueError:
        assert not host.rpartition(".")[2].isdigit()
    else:
        assert socket.getaddrinfo(host, 80)[0][4][0] == str(address)
