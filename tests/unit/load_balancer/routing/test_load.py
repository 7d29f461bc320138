"""The estimate of a substation's load, before its first poll and at the edges of a poll."""

from load_balancer.routing.load import LoadEstimate


def counts(estimate: LoadEstimate) -> tuple[int, int, int, int]:
    return estimate.own, estimate.foreign, estimate.total, estimate.known


def test_nobody_is_known_at_a_new_substation() -> None:
    estimate = LoadEstimate(1)
    assert counts(estimate) == (0, 0, 0, 0)
    assert (estimate.silent_balancers, estimate.accepts) == (0, False)
    assert not estimate.is_unconfirmed


def test_before_the_first_poll_other_balancers_are_taken_to_do_the_same() -> None:
    estimate = LoadEstimate(3)
    estimate.add()
    assert counts(estimate) == (1, 2, 3, 1)


def test_a_gauge_without_a_poll_shows_foreign_load_beside_the_own_vehicles() -> None:
    estimate = LoadEstimate(1)
    estimate.polled(3)
    assert counts(estimate) == (0, 3, 3, 3)
    estimate = LoadEstimate(1)
    estimate.add()
    estimate.polled(3)
    assert counts(estimate) == (1, 2, 3, 3)


def test_where_charges_are_accepted_the_gauge_may_show_the_own_vehicle() -> None:
    estimate = LoadEstimate(1)
    estimate.accepts = True
    estimate.add()
    estimate.polled(1)
    assert counts(estimate) == (1, 0, 1, 1)


def test_a_vehicle_released_before_any_poll_counts_until_one_that_begins_later() -> None:
    estimate = LoadEstimate(1)
    estimate.add()
    estimate.release(5.0)
    estimate.polled(0)
    assert (estimate.own, estimate.is_unconfirmed) == (1, True)
    estimate.poll_began(5.0)  # at the same moment: the page may have been written before
    estimate.polled(0)
    assert (estimate.own, estimate.is_unconfirmed) == (1, True)
    estimate.poll_began(5.1)
    estimate.polled(0)
    assert (estimate.own, estimate.is_unconfirmed) == (0, False)


def test_what_comes_and_goes_during_a_poll_is_never_taken_for_foreign() -> None:
    estimate = LoadEstimate(1)
    estimate.poll_began(1.0)
    estimate.add()
    estimate.add()
    estimate.remove()
    estimate.polled(2)
    assert counts(estimate) == (1, 0, 1, 1)
    estimate.poll_began(2.0)
    estimate.polled(2)
    assert counts(estimate) == (1, 1, 2, 2)


def test_a_vehicle_that_is_attached_is_in_the_gauge_already() -> None:
    estimate = LoadEstimate(1)
    estimate.poll_began(1.0)
    estimate.polled(3)
    estimate.attach()
    assert counts(estimate) == (1, 2, 3, 3)
    estimate.attach()
    assert counts(estimate) == (2, 1, 3, 3)
    assert estimate.in_flight == 2


def test_a_gauge_in_a_response_is_as_of_now() -> None:
    estimate = LoadEstimate(2)
    estimate.add()
    estimate.reported(4)
    assert counts(estimate) == (1, 3, 4, 4)
    estimate.add()  # the other balancer is taken to have sent one, too
    assert counts(estimate) == (2, 4, 6, 5)


def test_a_balancer_that_reports_is_silent_no_longer() -> None:
    estimate = LoadEstimate(3)
    assert estimate.peer_holds("p", 2)
    assert (estimate.silent_balancers, estimate.total, estimate.known) == (1, 2, 2)
    assert not estimate.peer_holds("p", 2)
    assert estimate.peer_holds("q", 0)
    assert estimate.peer_holds("r", 0)
    assert estimate.silent_balancers == 0  # more balancers than were announced
    estimate.forget_peer("p")
    assert (estimate.silent_balancers, estimate.known) == (0, 0)
    estimate.forget_peer("q")
    assert estimate.silent_balancers == 1
