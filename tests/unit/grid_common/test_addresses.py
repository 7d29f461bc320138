"""Which addresses are one caller's."""

import pytest

from grid_common.addresses import network


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("", ""),
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::1%a%b", "fe80::/64"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
    ],
)
def test_of_ipv6_a_network_is_one_caller(address: str, caller: str) -> None:
    assert network(address) == caller
