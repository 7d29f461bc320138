"""The message for a refused vehicle."""

from load_balancer.refusal import explain, quoted
from tests.unit.load_balancer.routing.grid import Grid


def reported(grid: Grid, reason: str, *failures: str) -> str:
    return explain(
        reason,
        waited_s=1.04,
        waiting=7,
        substations=grid.pool.substations.values(),
        failures=failures,
    )


def test_nothing_is_added_where_all_substations_are_well() -> None:
    grid = Grid(4, 4)
    grid.poll_all()
    assert reported(grid, "deadline") == "No charging point became free within 1.0 s."
    assert reported(grid, "queue_full") == "7 vehicles are waiting, which is the limit."


def test_those_that_are_down_say_why() -> None:
    grid = Grid(4, 4)
    grid.poll_all()
    grid.poll_unreadable("a", "its page has no capacity: set DEFAULT_CAPACITY")
    assert reported(grid, "deadline").endswith(
        "Substations that are down: a: its page has no capacity: set DEFAULT_CAPACITY."
    )
    assert "DEFAULT_CAPACITY" in reported(grid, "queue_full")


def test_what_the_substations_answered_is_reported() -> None:
    assert reported(Grid(4), "rejected", "a answered 404: 'no such car'", "b answered 400") == (
        "Every substation rejected this vehicle: a answered 404: 'no such car'; b answered 400."
    )


def test_what_failed_a_vehicle_is_reported_whatever_ended_its_wait() -> None:
    grid = Grid(4)
    grid.poll_all()
    assert reported(grid, "deadline", "a answered 500") == (
        "No charging point became free within 1.0 s. Substations that failed it: a answered 500."
    )
    assert reported(grid, "queue_full", "a: refused").endswith("that failed it: a: refused.")


def test_however_many_and_long_the_reasons_are_the_message_is_short() -> None:
    assert len(reported(Grid(4), "rejected", *["x" * 9999] * 500)) < 1000
    assert reported(Grid(4), "rejected", *["x"] * 500).endswith("x; x; x; and 497 more.")


def test_what_an_answer_said_is_quoted_on_one_short_line() -> None:
    assert quoted(b"") == quoted(b" \n") == ""
    assert quoted(b"no such path\n") == ": 'no such path'"
    assert quoted(b"\xff\r\nX: y") == r": '\ufffd\r\nX: y'"
    assert len(quoted(b"x" * 4096)) < 110


def test_of_a_long_reason_the_beginning_is_reported_and_of_three_substations_all() -> None:
    assert reported(Grid(4), "rejected", "x" * 240) == (
        f"Every substation rejected this vehicle: {'x' * 240}."
    )
    assert reported(Grid(4), "rejected", "x" * 241) == (
        f"Every substation rejected this vehicle: {'x' * 240}…."
    )
    assert reported(Grid(4), "rejected", "a", "b", "c").endswith(": a; b; c.")
    assert reported(Grid(4), "rejected", "a", "b", "c", "d").endswith(": a; b; c; and 1 more.")


def test_both_who_failed_it_and_who_is_down_are_reported() -> None:
    grid = Grid(4, 4, 4)
    grid.poll_all()
    for name in "ab":
        grid.poll_unreadable(name, "it is empty")
    assert reported(grid, "queue_full", "a answered 500", "b answered 502") == (
        "7 vehicles are waiting, which is the limit. Substations that failed it: a answered 500; "
        "b answered 502. Substations that are down: a: it is empty; b: it is empty."
    )


def test_of_an_answer_the_first_hundred_bytes_are_quoted() -> None:
    assert quoted(b"x" * 100) == f": '{'x' * 100}'"
    assert quoted(b"x" * 101) == f": '{'x' * 100}'"
