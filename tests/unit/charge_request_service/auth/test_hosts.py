"""The host names that a gateway accepts, against DNS rebinding."""

import pytest

from charge_request_service.auth.hosts import Hosts, read_names
from tests.support.allocations import traced_allocations


@pytest.mark.parametrize(
    "host",
    [
        None,  # HTTP/1.0: no browser
        "localhost",
        "localhost:8080",
        "LocalHost.:8080",
        "grid.localhost:8080",
        "127.0.0.1:8080",
        "127.1:8080",
        "192.168.1.20",
        "[::1]:8080",
        "[FE80::1]",
        "[::ffff:127.0.0.1]:8080",
        "charge_request_service:8080",
        "gateway",
        "raspberry.local:8080",
        "gateway.grid.svc.cluster.local",
        "host.docker.internal:8080",
    ],
)
def test_addresses_and_what_is_not_of_the_public_dns_pass(host: str | None) -> None:
    assert Hosts().allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "elsewhere.example:8080",
        "127.0.0.1.elsewhere.example",
        "localhost.elsewhere.example",
        "user@localhost",
        "localhost:8080@elsewhere.example",
        "localhost, elsewhere.example",
        "local host",
        "localhost:port",
        "localhost:999999",
        "[::1",
        "[elsewhere.example]",
        "",
        "..",
        "а.localhost",  # noqa: RUF001 - a Cyrillic letter
        "elsewhere.example\n.localhost",
    ],
)
def test_names_of_others_do_not_pass(host: str) -> None:
    assert not Hosts().allows(host)


def test_a_name_that_is_listed_passes_and_one_with_a_dot_before_it_for_all_below() -> None:
    hosts = Hosts(read_names(" Grid.example , .ev.example,"))

    assert hosts.allows("grid.example:443")
    assert hosts.allows("GRID.EXAMPLE.")
    assert hosts.allows("a.b.ev.example")
    assert hosts.allows("localhost")
    assert not hosts.allows("www.grid.example")
    assert not hosts.allows("ev.example")
    assert not hosts.allows("notgrid.example")


def test_a_caller_that_asks_by_ever_new_names_takes_no_memory() -> None:
    hosts = Hosts()
    with traced_allocations() as allocations:
        for number in range(5_000):
            hosts.allows(f"{number}.example")
        assert allocations.held < 200_000


@pytest.mark.parametrize("text", ["http://grid.example", "grid.example:80", "*", "a..b", "a b"])
def test_an_invalid_name_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match="is not a host name; it takes names without scheme and port"
    ):
        read_names(text)


def test_a_name_that_is_refused_is_shown_by_its_first_80_characters() -> None:
    with pytest.raises(ValueError, match="host name") as refused:
        read_names("*" * 81)
    assert str(refused.value) == (
        f"'{'*' * 80}' is not a host name; it takes names without scheme and port, such as "
        "`grid.example`, or `.grid.example` for all names below it"
    )
