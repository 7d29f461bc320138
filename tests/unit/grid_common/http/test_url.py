"""Whatever passes can be looked up, connected to and written in a header."""

import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid_common.http.url import hide_passwords, is_address, parse_host, parse_http_url, quoted_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://substation1:5002", "substation1", 5002),
        ("http://substation1:5002/", "substation1", 5002),
        ("http://load_balancer", "load_balancer", 80),
        ("HTTP://Substations.Example.:8000", "substations.example.", 8000),
        ("http://10.0.0.1:1", "10.0.0.1", 1),
        ("http://[FD00:0::1]:65535", "fd00::1", 65535),
        ("http://[::ffff:10.0.0.1]:80", "10.0.0.1", 80),
        ("http://xn--lad-0la.example:80", "xn--lad-0la.example", 80),
        (f"http://a:{'0' * 5000}80", "a", 80),
    ],
)
def test_a_host_and_a_port_are_read(text: str, host: str, port: int) -> None:
    assert parse_http_url(text) == (host, port)


def test_it_is_written_as_it_is_sent() -> None:
    assert str(parse_http_url("http://[fd00::1]")) == "http://[fd00::1]:80"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("http://10.0.0.1", True),
        ("http://[fd00::1]", True),
        ("http://substation1", False),
        ("http://1.example", False),
    ],
)
def test_a_url_of_an_address_needs_no_look_up(text: str, *, is_one: bool) -> None:
    assert is_address(parse_http_url(text).host) is is_one


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not of the form `http://host:port`"),
        ("substation1:5002", "is not of the form `http://host:port`"),
        ("http://substation1:X80", "port 'X80' is not valid"),
        ("https://substation1:5002", "is not of the form `http://host:port`"),
        ("http://substation1:5002/charge", "is not of the form `http://host:port`"),
        ("http://substation1:5002?x=1", "is not of the form `http://host:port`"),
        ("http://substation1:5002/#x", "is not of the form `http://host:port`"),
        ("http://[::1]x:5002", "is not of the form `http://host:port`"),
        ("http://:5002", "is not a host name"),
        ("http://a..b:1", "is not a host name"),
        ("http://.a:1", "is not a host name"),
        ("http://a b:1", "is not a host name"),
        ("http://a\tb:1", "is not a host name"),
        ("http://a\n:1", "is not a host name"),
        ("http://a%20b:1", "is not a host name"),
        (f"http://{'a' * 64}:1", "is not a host name"),
        (f"http://{'a.' * 130}b:1", "is not a host name"),
        ("http://süd.example:1", "xn--"),
        ("http://\udcff:1", "xn--"),
        ("http://\uff11.0.0.1:1", "xn--"),
        ("http://127.1:1", "is not an IPv4 address"),
        ("http://1:1", "is not an IPv4 address"),
        ("http://010.0.0.1:1", "is not an IPv4 address"),
        ("http://256.0.0.1:1", "is not an IPv4 address"),
        ("http://0x7f000001:1", "is not an IPv4 address"),
        ("http://[::g]:1", "is not an IPv6 address"),
        ("http://[]:1", "is not an IPv6 address"),
        ("http://[10.0.0.1]:1", "is not an IPv6 address"),
        ("http://[fe80::1%eth0]:1", "a link-local address with a zone"),
        ("http://0.0.0.0:1", "nothing can be connected to"),
        ("http://[::]:1", "nothing can be connected to"),
        ("http://224.0.0.1:1", "nothing can be connected to"),
        ("http://a:0", "it takes 1 to 65535"),
        ("http://a:65536", "it takes 1 to 65535"),
        ("http://a:99999", "it takes 1 to 65535"),
        ("http://a:00000655360", "it takes 1 to 65535"),
        ("http://a:-1", "it takes 1 to 65535"),
        ("http://a:5 002", "it takes 1 to 65535"),
        ("http://a:٣", "it takes 1 to 65535"),
        (f"http://a:{'9' * 5000}", "it takes 1 to 65535"),
        ("http://user:secret@a:1", "remove them"),
        ("http://user@a:1", "remove them"),
    ],
)
def test_what_cannot_be_connected_to_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="http") as raised:
        parse_http_url(text)
    reported = str(raised.value)
    assert why in reported
    assert reported.isprintable()
    assert reported.isascii()
    assert len(reported) < 600


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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "'x' is not of the form `http://host:port`"),
        (
            "http://user@a:1",
            "'http://***@a:1' has a user or a password, which are never sent: remove "
            "them, and if the host requires them, let a proxy in front of it add them",
        ),
        ("http://a:0", "'http://a:0': port '0' is not valid; it takes 1 to 65535"),
        (
            f"http://a:{'9' * 21}",
            f"'http://a:{'9' * 21}': port '{'9' * 20}' is not valid; it takes 1 to 65535",
        ),
        (
            "http://a..b:1",
            "'http://a..b:1': 'a..b' is not a host name; it takes labels of 1 to 63 characters of "
            "A-Z a-z 0-9 _ - with dots between them, 253 characters in all",
        ),
        (
            "http://s\xfcd.example:1",
            r"'http://s\xfcd.example:1': the host 's\xfcd.example' is not ASCII; give the name in "
            "its DNS form, `xn--...`",
        ),
        (
            "http://[fe80::1%eth0]:1",
            "'http://[fe80::1%eth0]:1': 'fe80::1%eth0' is a link-local address with a zone, "
            "which cannot be used; give the host's global or private address, or a name that "
            "resolves to it",
        ),
        (
            "http://0.0.0.0:1",
            "'http://0.0.0.0:1': nothing can be connected to at 0.0.0.0; give the address of one "
            "host",
        ),
        ("http://[::g]:1", "'http://[::g]:1': '::g' is not an IPv6 address"),
        ("http://127.1:1", "'http://127.1:1': '127.1' is not an IPv4 address"),
    ],
)
def test_the_messages_for_invalid_urls(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="http") as raised:
        parse_http_url(text)
    assert str(raised.value) == why


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("a" * 81, "a" * 80),
        (":" + "1" * 80, ":" + "1" * 79),
        ("1." * 41, "1." * 40),
    ],
)
def test_a_long_host_is_shown_in_part(host: str, shown: str) -> None:
    with pytest.raises(ValueError, match="is no") as raised:
        parse_host(host)
    assert str(raised.value).startswith(f"'{shown}' is not a")


def test_a_long_url_is_shown_in_part() -> None:
    assert quoted_url(f"  http://u:p@a/{'x' * 300} ") == f"'http://***@a/{'x' * 187}'"


def test_a_name_may_have_253_characters() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(longest) == 253
    assert parse_host(longest) == longest
    with pytest.raises(ValueError, match="is not a host name"):
        parse_host(f"{longest}b")
