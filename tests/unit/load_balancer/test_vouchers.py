"""When a durable session is this balancer's to dispatch."""

import socket

from grid_common.http.cancellation import Caller
from load_balancer.vouchers import Gateways, Vouchers

HERE = Caller(None)


def vouchers(gateways: Gateways) -> Vouchers:
    """Build those of a session that the gateway g.0 asked for at 100 s, with a lease of 3 s."""
    made = Vouchers(gateways)
    made.add(HERE, "g.0", 3.0, None, 100.0)
    return made


def test_one_gateway_with_one_balancer_says_no_lease_and_needs_not_be_heard() -> None:
    made = Vouchers(Gateways())
    made.add(HERE, None, None, None, 100.0)
    made.remove(HERE)
    assert made.hold(1e6)


def test_they_hold_for_the_lease_after_the_last_word_of_the_gateway() -> None:
    gateways = Gateways()
    made = vouchers(gateways)
    assert made.hold(103.0)
    assert not made.hold(103.1)
    gateways.hear("g.0", None, 104.0)
    assert made.hold(107.0)


def test_a_gateway_that_moved_its_sessions_on_has_another_name() -> None:
    gateways = Gateways()
    made = vouchers(gateways)
    gateways.hear("g.1", None, 104.0)
    assert not made.hold(104.0)
    made.add(HERE, "g.1", 3.0, None, 105.0)  # until it comes back with this one
    assert made.hold(105.0)


def test_a_session_that_no_connection_waits_for_is_not_vouched_for() -> None:
    made = vouchers(Gateways())
    made.remove(HERE)
    assert not made.hold(100.0)


def test_a_connection_that_was_closed_while_this_process_was_frozen_counts_for_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    with here, there:
        caller, made = Caller(here), Vouchers(Gateways())
        made.add(caller, "g.0", 3.0, None, 100.0)
        assert made.hold(100.0)
        there.close()
        assert not made.hold(100.0)
        caller.close()


def test_a_gateway_that_comes_without_a_lease_needs_none_from_then_on() -> None:
    made = vouchers(Gateways())
    made.add(HERE, "g.0", None, None, 101.0)
    assert made.hold(1e6)


def test_no_more_names_are_remembered_than_there_can_be_gateways() -> None:
    gateways = Gateways()
    for number in range(257):
        gateways.hear(f"g{number}", None, 100.0)
    assert gateways.is_silent("g0", 3.0, 100.0)
    assert not gateways.is_silent("g1", 3.0, 100.0)


def test_a_word_that_was_held_up_counts_from_when_it_was_sent() -> None:
    gateways = Gateways()
    gateways.hear("g.0", 7.0, 100.0)
    gateways.hear("g.0", 8.0, 106.0)  # it was on its way for 5 s
    assert gateways.is_silent("g.0", 3.0, 106.0)
    gateways.hear("g.0", 13.0, 106.0)
    assert not gateways.is_silent("g.0", 3.0, 106.0)


def test_a_session_whose_request_was_held_up_is_not_vouched_for() -> None:
    gateways = Gateways()
    gateways.hear("g.0", 7.0, 100.0)
    made = Vouchers(gateways)
    made.add(HERE, "g.0", 3.0, 8.0, 106.0)
    assert not made.hold(106.0)


def test_a_lease_of_no_time_is_long_enough_to_dispatch() -> None:
    made = Vouchers(Gateways())
    made.add(HERE, "g.0", 0.0, None, 100.0)
    assert made.hold(100.05)
    assert not made.hold(100.2)
