"""The addresses behind a name, and which of them are used."""

import socket
from unittest.mock import Mock, call

import pytest

from grid_common.http.url import is_address
from grid_common.names import choose_family, listens, resolve


def test_ipv4_comes_before_ipv6_and_addresses_are_sorted_without_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = ["10.0.0.3", "10.0.0.2", "10.0.0.3"]
    four = [(socket.AF_INET, 1, 6, "", (address, 5002)) for address in addresses]
    six = (socket.AF_INET6, 1, 6, "", ("fd00::1", 5002, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", Mock(return_value=[six, *four]))
    assert resolve("substation2", 5002) == [["10.0.0.2", "10.0.0.3"], ["fd00::1"]]


def test_the_loopback_name_is_found_for_real() -> None:
    assert resolve("localhost", 5002) in ([["127.0.0.1"]], [["127.0.0.1"], ["::1"]], [["::1"]])


FOUR, SIX = ["10.0.0.1"], ["fd00::1", "fd00::2"]


@pytest.mark.parametrize(
    ("last", "well", "listening", "chosen"),
    [
        ([], [], [], FOUR),  # as before: IPv4 where there is any
        ([], [], FOUR + SIX, FOUR),
        ([], [], ["fd00::2"], SIX),  # only one of them listens
        (FOUR, [], ["fd00::2"], SIX),
        (FOUR, FOUR, SIX, FOUR),  # it serves: nothing else is tried
        (SIX, [], FOUR + SIX, SIX),  # what was chosen stays
        (SIX, ["fd00::1"], FOUR, SIX),
        (SIX, [], [], SIX),  # a substation that restarts keeps its address
        (SIX, [], FOUR, FOUR),
    ],
)
def test_of_two_families_the_one_is_chosen_that_listens(
    last: list[str], well: list[str], listening: list[str], chosen: list[str]
) -> None:
    found = choose_family(
        [FOUR, SIX], last=last, is_healthy=well.__contains__, listens=listening.__contains__
    )
    assert found == chosen


def test_one_family_alone_is_not_tried() -> None:
    never = Mock(side_effect=AssertionError)
    assert choose_family([SIX], last=FOUR, is_healthy=never, listens=never) == SIX
    assert choose_family([], last=FOUR, is_healthy=never, listens=never) == ()


def test_a_port_listens_or_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens("127.0.0.1", port, 1)
    assert not listens("127.0.0.1", port, 1)


def test_a_substation_that_listens_on_ipv6_alone_is_reached_by_a_name_that_has_both() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        port = server.getsockname()[1]
        found = choose_family(
            [["127.0.0.1"], ["::1"]],
            last=["127.0.0.1"],
            is_healthy=lambda _address: False,
            listens=lambda address: listens(address, port, 1),
        )
    assert found == ["::1"]


def test_names_are_looked_up_for_tcp_and_tried_within_the_time_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_up, connect = Mock(return_value=[]), Mock(return_value=socket.socket())
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)

    assert resolve("substation1", 5002) == []
    assert listens("10.0.0.1", 5002, 0.5)
    assert look_up.call_args_list == [call("substation1", 5002, type=socket.SOCK_STREAM)]
    assert connect.call_args_list == [call(("10.0.0.1", 5002), 0.5)]


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("10.0.0.1", True), ("fd00::1", True), ("substation2", False), ("10.0.0.1:5002", False)],
)
def test_an_address_is_told_from_a_name(host: str, *, is_one: bool) -> None:
    assert is_address(host) is is_one
