"""The reconciliation of a fault's scene: the differences that it finds."""

import pytest

from local_stack.session_logs import Attempt
from tests.e2e.faults.reconciliation import add_up, check_answers, check_counters
from tests.support.fleet import FleetSession

SUBSTATION = "substation1"


def session(number: int, *, status: int = 200, session: str = "", kwh: float = 5) -> FleetSession:
    vehicle = f"S1-{number}"
    document = {
        "session_id": session or f"session{number}",
        "vehicle_id": vehicle,
        "substation": SUBSTATION,
        "kwh": kwh,
    }
    return FleetSession(0, status=status, document=document, charge_request={"kwh": kwh}, tries=1)


def attempt(number: int, *, session: str = "", outcome: str = "charged", kwh: float = 5) -> Attempt:
    name = session or f"session{number}"
    return Attempt(name, outcome, 5, 0, 1, f"S1-{number}", kwh)


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
    sessions = [session(1), session(2), session(3, status=503)]
    attempts = {
        SUBSTATION: [attempt(1), attempt(2)],
        "substation2": [attempt(2, session="another")],
    }

    figures = add_up(sessions, attempts, 1.5)

    assert (figures.tried, figures.charged, figures.lost, figures.charged_twice) == (3, 2, 1, 1)


@pytest.mark.parametrize(
    "attempts",
    [
        [],
        [attempt(1, outcome="aborted")],
        [attempt(1, session="another")],
        [attempt(1, kwh=4)],
        [attempt(1), attempt(2)],
        [attempt(1), attempt(1, outcome="aborted", kwh=1)],
    ],
    ids=[
        *("nowhere", "cut short", "in another session", "too little", "another vehicle too"),
        "too much",
    ],
)
def test_an_answer_that_no_log_bears_out_is_found(attempts: list[Attempt]) -> None:
    check_answers([session(1)], {SUBSTATION: [attempt(1)]})

    with pytest.raises(AssertionError):
        check_answers([session(1)], {SUBSTATION: attempts})


@pytest.mark.parametrize("outcome", ["aborted", "cut off"])
def test_one_that_was_moved_adds_up_over_its_attempts(outcome: str) -> None:
    attempts = {
        SUBSTATION: [attempt(1, kwh=3)],
        "substation2": [attempt(1, outcome=outcome, kwh=2)],
    }

    check_answers([session(1)], attempts)


def test_one_whose_substation_charged_on_unheard_may_have_got_so_much_on_top_and_no_more() -> None:
    attempts = {
        SUBSTATION: [attempt(1, kwh=3)],
        "substation2": [attempt(1, outcome="aborted", kwh=4)],
    }

    check_answers([session(1)], attempts, most_over_kwh=2)
    with pytest.raises(AssertionError, match=r"5\.0 kWh asked for, 7\.000 delivered"):
        check_answers([session(1)], attempts, most_over_kwh=1.9)


@pytest.mark.parametrize(
    "after",
    [
        page(charged=2, kwh=5, asked=2),
        page(charged=1, kwh=9, asked=1),
    ],
    ids=["one too many", "too much energy"],
)
def test_counters_that_differ_from_the_log_are_found(after: dict[str, dict[str, float]]) -> None:
    attempts = {SUBSTATION: [attempt(1)]}
    check_counters(page(), page(charged=1, kwh=5, asked=3), [], attempts)

    with pytest.raises(AssertionError, match=SUBSTATION):
        check_counters(page(), after, [], attempts)


def test_vehicles_that_a_substation_took_in_and_never_counted_are_found() -> None:
    after = page(charged=1, kwh=5, asked=3)
    after[SUBSTATION]['substation_sessions_total{outcome="refused"}'] = 1

    with pytest.raises(AssertionError, match="together: 3 and 2"):
        check_counters(page(), after, [], {SUBSTATION: [attempt(1)]})


def balancer(*, started: float, amended: float) -> dict[str, dict[str, float]]:
    """A balancer's counters."""
    return {
        "balancer": {
            "process_start_time_seconds": started,
            f'balancer_dispatches_total{{outcome="charged",substation="{SUBSTATION}"}}': 1,
            f'balancer_amended_charges_total{{substation="{SUBSTATION}"}}': amended,
        }
    }


@pytest.mark.parametrize("started", [1, 2], ids=["lived on", "restarted"])
def test_a_charge_that_the_balancer_asked_for_anew_needs_no_session_of_its_own(
    started: float,
) -> None:
    after = page(charged=1, kwh=5, asked=2)
    after[SUBSTATION]['substation_sessions_total{outcome="refused"}'] = 0
    before = page() | balancer(started=1, amended=0)
    before["balancer"][
        f'balancer_dispatches_total{{outcome="charged",substation="{SUBSTATION}"}}'
    ] = 0
    attempts = {SUBSTATION: [attempt(1)]}

    check_counters(before, after | balancer(started=started, amended=1), [], attempts)
    with pytest.raises(AssertionError, match="together: 2 and 1"):
        check_counters(before, after | balancer(started=started, amended=0), [], attempts)


def test_the_counters_of_a_restarted_part_are_not_compared() -> None:
    after = page(charged=7)
    after[SUBSTATION]["process_start_time_seconds"] = 2

    check_counters(page(), after, [], {SUBSTATION: [attempt(1)]})


def test_a_gateway_that_counts_another_number_of_answers_is_found() -> None:
    def gateway(charged: float) -> dict[str, dict[str, float]]:
        return {
            "gateway": {
                "process_start_time_seconds": 1,
                'charge_requests_total{status="200"}': charged,
                'http_requests_total{method="POST",route="/charge",status="200"}': charged,
            }
        }

    check_counters(gateway(3), gateway(4), [session(1), session(2, status=503)], {})

    with pytest.raises(AssertionError, match="told so: 2 and 1"):
        check_counters(gateway(3), gateway(5), [session(1)], {})
