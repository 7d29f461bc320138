"""When this balancer may dispatch a durable session."""

import socket

from grid_common.http.cancellation import Caller
from load_balancer.gateway_lease import GatewayLease, Gateways

HERE = Caller(None)


def lease(gateways: Gateways) -> GatewayLease:
    """Create the lease, of 3 s, of a session that the gateway g.0 asked for at 100 s."""
    made = GatewayLease(gateways)
    made.add(HERE, "g.0", 3.0, None, 100.0)
    return made


def test_one_gateway_with_one_balancer_needs_no_lease() -> None:
    made = GatewayLease(Gateways())
    made.add(HERE, None, None, None, 100.0)
    made.remove(HERE)
    assert made.is_valid(1e6)


def test_a_session_keeps_its_lease_until_the_gateway_has_been_silent_for_it() -> None:
    gateways = Gateways()
    made = lease(gateways)
    assert made.is_valid(103.0)
    assert not made.is_valid(103.1)
    gateways.heartbeat("g.0", None, 104.0)
    assert made.is_valid(107.0)


def test_a_gateway_that_moved_its_sessions_on_has_another_name() -> None:
    gateways = Gateways()
    made = lease(gateways)
    gateways.heartbeat("g.1", None, 104.0)
    assert not made.is_valid(104.0)
    made.add(HERE, "g.1", 3.0, None, 105.0)  # until it comes back with this one
    assert made.is_valid(105.0)


def test_a_later_name_of_the_gateway_says_that_the_session_was_moved() -> None:
    gateways = Gateways()
    made = lease(gateways)
    for name in ("g.0", "h.1", "other"):
        gateways.heartbeat(name, None, 104.0)
    assert not made.has_moved()
    gateways.heartbeat("g.2", None, 104.0)
    gateways.heartbeat("g.0", None, 104.1)  # was held up on its way
    assert made.has_moved()
    made.add(HERE, "g.2", 3.0, None, 105.0)  # it came back
    assert not made.has_moved()
    made.add(HERE, None, None, None, 106.0)
    assert not made.has_moved()


def test_a_session_that_no_connection_waits_for_has_no_lease() -> None:
    made = lease(Gateways())
    made.remove(HERE)
    assert not made.is_valid(100.0)


def test_a_connection_that_was_closed_while_this_process_was_frozen_counts_for_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    with here, there:
        caller, made = Caller(here), GatewayLease(Gateways())
        made.add(caller, "g.0", 3.0, None, 100.0)
        assert made.is_valid(100.0)
        there.close()
        assert not made.is_valid(100.0)
        caller.close()


def test_a_gateway_that_comes_without_a_lease_needs_none_from_then_on() -> None:
    made = lease(Gateways())
    made.add(HERE, "g.0", None, None, 101.0)
    assert made.is_valid(1e6)


def test_no_more_names_are_remembered_than_there_can_be_gateways() -> None:
    gateways = Gateways()
    for number in range(257):
        gateways.heartbeat(f"g{number}", None, 100.0)
    assert gateways.is_silent("g0", 3.0, 100.0)
    assert not gateways.is_silent("g1", 3.0, 100.0)


def test_a_sign_of_life_that_was_held_up_counts_from_when_it_was_sent() -> None:
    gateways = Gateways()
    gateways.heartbeat("g.0", 7.0, 100.0)
    gateways.heartbeat("g.0", 8.0, 106.0)  # it was on its way for 5 s
    assert gateways.is_silent("g.0", 3.0, 106.0)
    gateways.heartbeat("g.0", 13.0, 106.0)
    assert not gateways.is_silent("g.0", 3.0, 106.0)


def test_a_session_whose_request_was_held_up_has_no_lease() -> None:
    gateways = Gateways()
    gateways.heartbeat("g.0", 7.0, 100.0)
    made = GatewayLease(gateways)
    made.add(HERE, "g.0", 3.0, 8.0, 106.0)
    assert not made.is_valid(106.0)


def test_a_lease_of_no_time_is_long_enough_to_dispatch() -> None:
    made = GatewayLease(Gateways())
    made.add(HERE, "g.0", 0.0, None, 100.0)
    assert made.is_valid(100.05)
    assert not made.is_valid(100.2)
