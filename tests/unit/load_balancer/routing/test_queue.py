from load_balancer.routing.demand import Demand
from load_balancer.routing.queue import WaitQueue
from load_balancer.routing.substation import QueuedSession


def queued(place: int) -> QueuedSession:
    return QueuedSession(
        f"session-{place}", f"EV-{place}", arrived=0, deadline=60, demand=Demand(10.0), place=place
    )


def queue_of(*queued_sessions: QueuedSession) -> WaitQueue:
    queue = WaitQueue()
    for one in queued_sessions:
        queue.add(one)
    return queue


def test_it_is_first_come_first_served() -> None:
    queued_sessions = [queued(place) for place in (1, 2, 3)]
    assert list(queue_of(*queued_sessions)) == queued_sessions


def test_a_vehicle_that_comes_back_has_its_old_place() -> None:
    first, second, third = (queued(place) for place in (1, 2, 3))
    assert list(queue_of(first, third, second)) == [first, second, third]


def test_a_vehicle_can_leave_from_anywhere() -> None:
    queued_sessions = [queued(place) for place in range(1, 6)]
    queue = queue_of(*queued_sessions)
    assert queue.discard(queued_sessions[2])
    assert queue.discard(queued_sessions[0])
    assert list(queue) == [queued_sessions[1], queued_sessions[3], queued_sessions[4]]
    assert len(queue) == 3


def test_taking_out_a_vehicle_that_is_not_in_line_changes_nothing() -> None:
    queue = queue_of(queued(1))
    assert not queue.discard(queued(1))
    assert not queue.discard(queued(7))
    assert len(queue) == 1


def test_an_empty_queue_is_false() -> None:
    assert not WaitQueue()
