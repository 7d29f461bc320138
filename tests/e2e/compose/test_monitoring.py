"""Prometheus and Grafana on a grid that charges: every expression that anyone sees returns data."""

import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests

from tests.e2e.compose.stack import SUBSTATIONS, Stack
from tests.support.deadline import eventually
from tests.unit.grafana.dashboards import FILES, Query, load, queries
from tests.unit.prometheus.rules import alerts, recordings

EXPRESSIONS = [
    *(query for file in FILES for query in queries(file)),
    *(Query(f"rule {rule.name}", rule.name) for rule in recordings()),
    *(Query(f"expression of {rule.name}", rule.body["expr"]) for rule in recordings()),
    *(Query(f"alert {rule.name}", rule.body["expr"]) for rule in alerts()),
]
# What a healthy grid has nothing to say to, and why. Selectors of metrics within such an expression
# must return data all the same, unless they stand here themselves.
NO_ALERT = "nothing is wrong, so no alert is pending or firing"
NO_ERROR = "no service answers an error, so no counter with such a status exists"
NO_REFUSAL = "no vehicle is refused, so no counter with this status exists"
MAY_BE_EMPTY = {
    **{query.expression: NO_ALERT for query in EXPRESSIONS if "ALERTS" in query.expression},
    **{rule.body["expr"]: NO_ALERT for rule in alerts()},
    'http_requests_total{status!="503",status=~"5.."}': NO_ERROR,
    'charge_requests_total{status="503"}': NO_REFUSAL,
}
_SEEN_WITHIN_S = 30
# SubstationDown has to hold for 15 s; then come a scrape, an evaluation and this machine's haste.
_FIRES_WITHIN_S = 15 + 10


def filled_in(expression: str) -> str:
    """Put values in the place of a dashboard's variables, as Grafana does."""
    expression = expression.replace('=~"$substation"', '=~".*"')
    for variable, value in (("$substation", "substation2"), ("$__range", "5m")):
        expression = expression.replace(variable, value)
    expression = expression.replace("$__rate_interval", "1m")
    assert "$" not in expression, f"{expression}: a variable that this test does not know"
    return expression


@pytest.fixture(scope="module")
def busy(stack: Stack) -> Iterator[Stack]:
    """A grid on which vehicles charge all the time, and now and then more than there are points."""
    stop = threading.Event()

    def drive() -> None:
        while not stop.is_set():
            stack.charge(kwh=2)

    drivers = [threading.Thread(target=drive) for _ in range(sum(SUBSTATIONS.values()) // 2)]
    for driver in drivers:
        driver.start()
    yield stack
    stop.set()
    for driver in drivers:
        driver.join()


def selectors(node: Any) -> Iterator[str]:
    """Yield the selectors of metrics in an expression, from Prometheus' own parse of it."""
    if isinstance(node, dict):
        if node.get("type") == "vectorSelector":
            matchers = sorted(
                f'{matcher["name"]}{matcher["type"]}"{matcher["value"]}"'
                for matcher in node["matchers"]
                if matcher["name"] != "__name__"
            )
            yield node["name"] + (f"{{{','.join(matchers)}}}" if matchers else "")
        for part in node.values():
            yield from selectors(part)
    elif isinstance(node, list):
        for part in node:
            yield from selectors(part)


@pytest.fixture(scope="module")
def deadline(busy: Stack) -> float:  # noqa: ARG001 - counts from when vehicles charge
    """By then every expression has data: the first of the tests waits, the others need not."""
    return time.monotonic() + _SEEN_WITHIN_S


@pytest.mark.parametrize("query", EXPRESSIONS, ids=lambda query: query.where)
def test_an_expression_returns_data(busy: Stack, deadline: float, query: Query) -> None:
    expression = filled_in(query.expression)
    if query.expression in MAY_BE_EMPTY:
        busy.query(expression)
        wanted = set(selectors(busy.ask("/api/v1/parse_query", query=expression)))
    else:
        wanted = {expression}
    for part in wanted:
        if part not in MAY_BE_EMPTY and not part.startswith("ALERTS"):
            within_s = max(1, deadline - time.monotonic())
            eventually(partial(busy.data, part), within_s, every_s=0.2)


def test_what_may_be_empty_is_still_asked_for() -> None:
    asked = " ".join(query.expression for query in EXPRESSIONS)
    for expression in MAY_BE_EMPTY:
        for word in re.findall(r"\w{4,}", expression):
            assert word in asked, f"{expression} is in no dashboard and no rule"


def test_prometheus_scrapes_every_service_under_the_names_that_the_balancer_gives(
    busy: Stack,
) -> None:
    def scraped() -> None:
        up = busy.query("up")
        assert all(sample["value"][1] == "1" for sample in up), up
        found = sorted(
            (sample["metric"]["job"], sample["metric"].get("substation", "")) for sample in up
        )
        expected = [
            ("charge_request_service", ""),
            ("load_balancer", ""),
            ("prometheus", ""),
            *(("substation", name) for name in SUBSTATIONS),
        ]
        assert found == expected, found

    eventually(scraped, _SEEN_WITHIN_S, every_s=0.2)


def test_prometheus_evaluates_every_rule_and_none_fires_on_a_healthy_grid(busy: Stack) -> None:
    def evaluated() -> None:
        groups = busy.ask("/api/v1/rules")["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert set(rules) == {rule.name for rule in (*alerts(), *recordings())}
        unwell = {name: rule["lastError"] for name, rule in rules.items() if rule["health"] != "ok"}
        assert not unwell, unwell
        firing = [name for name, rule in rules.items() if rule.get("state") == "firing"]
        assert not firing, firing

    eventually(evaluated, _SEEN_WITHIN_S, every_s=0.2)


def test_no_scrape_doubles_its_series_with_the_time_of_their_making(busy: Stack) -> None:
    assert busy.query('{__name__=~".+_created"}') == []


def test_grafana_opens_on_the_glance_for_anyone_and_lets_nobody_change_it(
    stack: Stack, has_grafana: bool
) -> None:
    if not has_grafana:
        pytest.skip("the Grafana image cannot be had here")

    def grafana(path: str) -> Any:
        answer = requests.get(stack.url("grafana", path), timeout=10)
        answer.raise_for_status()
        return answer.json()

    assert grafana("/api/dashboards/home")["dashboard"]["title"] == "Grid at a glance"
    for file in FILES:
        found = grafana(f"/api/dashboards/uid/{load(file)['uid']}")
        assert found["meta"]["provisioned"]
        assert not found["meta"]["canSave"]
    login = requests.post(
        stack.url("grafana", "/login"), json={"user": "admin", "password": "admin"}, timeout=10
    )
    assert 400 <= login.status_code < 500


def test_the_alert_of_a_killed_substation_fires_in_its_time_and_ends_with_the_fault(
    stack: Stack,
) -> None:
    def alert_is(wanted: str) -> None:
        states = [
            alert["state"]
            for alert in stack.ask("/api/v1/alerts")["alerts"]
            if alert["labels"]["alertname"] == "SubstationDown"
            and alert["labels"]["substation"] == "substation3"
        ]
        assert (states or ["inactive"]) == [wanted], states

    def is_down() -> None:
        assert stack.substations()["substation3"]["health"] == "down"

    alert_is("inactive")
    try:
        stack.compose("kill", "substation3")
        eventually(is_down, 3)
        assert stack.charge().json()["substation"] != "substation3"
        eventually(lambda: alert_is("firing"), _FIRES_WITHIN_S, every_s=0.2)
    finally:
        stack.compose("up", "-d", "--wait", "substation3")
    eventually(lambda: alert_is("inactive"), _SEEN_WITHIN_S, every_s=0.2)
