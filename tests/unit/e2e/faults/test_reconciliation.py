"""The books of a fault's scene: what they find amiss."""

import pytest

from local_stack.session_logs import Visit
from tests.e2e.faults.reconciliation import add_up, check_answers, check_counters
from tests.support.fleet import Ride

SUBSTATION = "substation1"


def ride(number: int, *, status: int = 200, session: str = "", kwh: float = 5) -> Ride:
    vehicle = f"S1-{number}"
    document = {
        "session_id": session or f"session{number}",
        "vehicle_id": vehicle,
        "substation": SUBSTATION,
        "kwh": kwh,
    }
    return Ride(0, status=status, document=document, wish={"kwh": kwh}, tries=1)


def visit(number: int, *, session: str = "", outcome: str = "charged", kwh: float = 5) -> Visit:
    name = session or f"session{number}"
    return Visit(name, outcome, 5, 0, 1, f"S1-{number}", kwh)


def page(*, charged: float = 0, kwh: float = 0, asked: float = 0) -> dict[str, dict[str, float]]:
    """A substation's counters."""
    return {
        SUBSTATION: {
            "process_start_time_seconds": 1,
            'substation_sessions_total{outcome="charged"}': charged,
            'substation_sessions_total{outcome="refused"}': asked - charged,
            'substation_energy_delivered_kwh_total{outcome="charged"}': kwh,
            'http_requests_total{method="POST",route="/charge",status="200"}': asked,
        }
    }


def test_lost_and_twice_charged_vehicles_are_counted() -> None:
    rides = [ride(1), ride(2), ride(3, status=503)]
    visits = {SUBSTATION: [visit(1), visit(2)], "substation2": [visit(2, session="another")]}

    figures = add_up(rides, visits, 1.5)

    assert (figures.tried, figures.charged, figures.lost, figures.charged_twice) == (3, 2, 1, 1)


@pytest.mark.parametrize(
    "visits",
    [
        [],
        [visit(1, outcome="aborted")],
        [visit(1, session="another")],
        [visit(1, kwh=4)],
        [visit(1), visit(2)],
        [visit(1), visit(1, outcome="aborted", kwh=1)],
    ],
    ids=[
        *("nowhere", "cut short", "in another session", "too little", "another vehicle too"),
        "too much",
    ],
)
def test_an_answer_that_no_log_bears_out_is_found(visits: list[Visit]) -> None:
    check_answers([ride(1)], {SUBSTATION: [visit(1)]})

    with pytest.raises(AssertionError):
        check_answers([ride(1)], {SUBSTATION: visits})


@pytest.mark.parametrize("outcome", ["aborted", "cut off"])
def test_one_that_was_moved_adds_up_over_its_visits(outcome: str) -> None:
    visits = {SUBSTATION: [visit(1, kwh=3)], "substation2": [visit(1, outcome=outcome, kwh=2)]}

    check_answers([ride(1)], visits)


def test_one_whose_substation_charged_on_unheard_may_have_got_so_much_on_top_and_no_more() -> None:
    visits = {SUBSTATION: [visit(1, kwh=3)], "substation2": [visit(1, outcome="aborted", kwh=4)]}

    check_answers([ride(1)], visits, most_over_kwh=2)
    with pytest.raises(AssertionError, match=r"5\.0 kWh asked for, 7\.000 delivered"):
        check_answers([ride(1)], visits, most_over_kwh=1.9)


@pytest.mark.parametrize(
    "after",
    [
        page(charged=2, kwh=5, asked=2),
        page(charged=1, kwh=9, asked=1),
    ],
    ids=["one too many", "too much energy"],
)
def test_counters_that_differ_from_the_log_are_found(after: dict[str, dict[str, float]]) -> None:
    visits = {SUBSTATION: [visit(1)]}
    check_counters(page(), page(charged=1, kwh=5, asked=3), [], visits)

    with pytest.raises(AssertionError, match=SUBSTATION):
        check_counters(page(), after, [], visits)


def test_vehicles_that_a_substation_took_in_and_never_counted_are_found() -> None:
    after = page(charged=1, kwh=5, asked=3)
    after[SUBSTATION]['substation_sessions_total{outcome="refused"}'] = 1

    with pytest.raises(AssertionError, match="together: 3 and 2"):
        check_counters(page(), after, [], {SUBSTATION: [visit(1)]})


def test_a_part_that_started_anew_is_not_held_to_its_counters() -> None:
    after = page(charged=7)
    after[SUBSTATION]["process_start_time_seconds"] = 2

    check_counters(page(), after, [], {SUBSTATION: [visit(1)]})


def test_a_gateway_that_counts_another_number_of_answers_is_found() -> None:
    def gateway(charged: float) -> dict[str, dict[str, float]]:
        return {
            "gateway": {
                "process_start_time_seconds": 1,
                'charge_requests_total{status="200"}': charged,
                'http_requests_total{method="POST",route="/charge",status="200"}': charged,
            }
        }

    check_counters(gateway(3), gateway(4), [ride(1), ride(2, status=503)], {})

    with pytest.raises(AssertionError, match="told so: 2 and 1"):
        check_counters(gateway(3), gateway(5), [ride(1)], {})
