from load_balancer.routing.demand import Demand
from load_balancer.routing.queue import Ticket, WaitingLine


def ticket(place: int) -> Ticket:
    return Ticket(
        f"session-{place}", f"EV-{place}", arrived=0, deadline=60, demand=Demand(10.0), place=place
    )


def test_it_is_first_come_first_served() -> None:
    line = WaitingLine()
    tickets = [ticket(place) for place in (1, 2, 3)]
    for one in tickets:
        line.add(one)
    assert list(line) == tickets


def test_a_vehicle_that_comes_back_has_its_old_place() -> None:
    line = WaitingLine()
    first, second, third = (ticket(place) for place in (1, 2, 3))
    line.add(first)
    line.add(third)
    line.add(second)
    assert list(line) == [first, second, third]


def test_a_vehicle_can_leave_from_anywhere() -> None:
    line = WaitingLine()
    tickets = [ticket(place) for place in range(1, 6)]
    for one in tickets:
        line.add(one)
    assert line.remove(tickets[2])
    assert line.remove(tickets[0])
    assert list(line) == [tickets[1], tickets[3], tickets[4]]
    assert len(line) == 3


def test_taking_out_a_vehicle_that_is_not_in_line_changes_nothing() -> None:
    line = WaitingLine()
    line.add(ticket(1))
    assert not line.remove(ticket(1))
    assert not line.remove(ticket(7))
    assert len(line) == 1


def test_an_empty_line_is_false() -> None:
    assert not WaitingLine()
