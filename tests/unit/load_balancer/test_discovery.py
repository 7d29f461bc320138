import socket
from collections.abc import Sequence
from typing import Any

import pytest
from structlog import make_filtering_bound_logger, wrap_logger
from structlog.testing import LogCapture

from load_balancer.discovery import Directory, look_up_all, resolve
from load_balancer.settings import SiteUrl

ONE = SiteUrl("substation1", "substation1", 5002)
TWO = SiteUrl("substation2", "substation2", 5002)


def test_a_name_with_one_address_gives_its_site_its_own_name() -> None:
    sites = Directory([ONE, TWO]).update({ONE: ["10.0.0.1"], TWO: ["10.0.0.2"]})
    assert sites == [
        ("substation1", "http://10.0.0.1:5002"),
        ("substation2", "http://10.0.0.2:5002"),
    ]


def test_every_address_behind_a_name_is_a_site_of_its_own() -> None:
    sites = Directory([TWO]).update({TWO: ["10.0.0.2", "10.0.0.3"]})
    assert sites == [
        ("substation2@10.0.0.2", "http://10.0.0.2:5002"),
        ("substation2@10.0.0.3", "http://10.0.0.3:5002"),
    ]


def test_a_site_keeps_its_name_when_others_come_and_go_beside_it() -> None:
    directory = Directory([TWO])
    assert directory.update({TWO: ["10.0.0.2"]})[0][0] == "substation2"
    grown = directory.update({TWO: ["10.0.0.1", "10.0.0.2", "10.0.0.3"]})
    assert [name for name, _ in grown] == [
        "substation2@10.0.0.1",
        "substation2",
        "substation2@10.0.0.3",
    ]
    shrunk = directory.update({TWO: ["10.0.0.3"]})
    assert shrunk == [("substation2@10.0.0.3", "http://10.0.0.3:5002")]


def test_a_container_that_comes_back_at_another_address_has_its_name_again() -> None:
    directory = Directory([TWO])
    directory.update({TWO: ["10.0.0.2"]})
    assert directory.update({TWO: ["10.0.0.9"]}) == [("substation2", "http://10.0.0.9:5002")]


def test_an_empty_answer_keeps_the_last_good_list() -> None:
    directory = Directory([ONE, TWO])
    before = directory.update({ONE: ["10.0.0.1"], TWO: ["10.0.0.2", "10.0.0.3"]})
    assert directory.update({ONE: [], TWO: []}) == before
    assert directory.update({}) == before


def test_a_name_that_was_never_found_has_no_sites_and_stops_no_other() -> None:
    sites = Directory([ONE, TWO]).update({ONE: [], TWO: ["10.0.0.2"]})
    assert sites == [("substation2", "http://10.0.0.2:5002")]


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert Directory([ONE]).update({ONE: ["fd00::1"]}) == [("substation1", "http://[fd00::1]:5002")]


def test_a_failed_look_up_is_an_empty_answer_and_is_logged() -> None:
    def look_up(host: str, _port: int) -> Sequence[str]:
        if host == "substation1":
            raise socket.gaierror(-2, "Name or service not known")
        return ["10.0.0.2"]

    lines = LogCapture()
    log = wrap_logger(None, processors=[lines], wrapper_class=make_filtering_bound_logger(0))
    answers = look_up_all([ONE, TWO], log, look_up)
    assert answers == {ONE: [], TWO: ["10.0.0.2"]}
    told = [(line["event"], line["host"]) for line in lines.entries]
    assert told == [("name not found", "substation1")]


def test_ipv4_comes_before_ipv6_and_addresses_are_sorted_without_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(*_arguments: Any, **_options: Any) -> list[tuple[Any, ...]]:
        addresses = ["10.0.0.3", "10.0.0.2", "10.0.0.3"]
        four = [(socket.AF_INET, 1, 6, "", (address, 5002)) for address in addresses]
        return [(socket.AF_INET6, 1, 6, "", ("fd00::1", 5002, 0, 0)), *four]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert resolve("substation2", 5002) == ["10.0.0.2", "10.0.0.3"]


def test_the_loopback_name_is_found_for_real() -> None:
    assert resolve("localhost", 5002) in (["127.0.0.1"], ["::1"])
