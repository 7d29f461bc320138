"""The balancers' views and commands in the gateway's OpenAPI description."""

from typing import Any

from grid_common.api.openapi import (
    COUNT,
    FLAG,
    IDENTIFIER,
    NULLABLE_COUNT,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    NUMBER,
    TEXT,
    TIME,
    a_list,
    an_object,
    content,
    drain_paths,
    parameter,
    problem,
    ref,
    whole_number,
)

_UNREACHABLE = {"503": problem("The balancer cannot be reached")}
_DECISION_PARAMETERS = [
    parameter(
        "query",
        "since",
        whole_number(0, 999_999_999_999_999, 0),
        "List decisions with a higher sequence number than this.",
    ),
    parameter(
        "query",
        "limit",
        whole_number(1, 100, 100),
        "Maximum number in a page, which also ends at 256 KiB. Continue with `since=next`.",
    ),
    parameter("query", "session_id", IDENTIFIER, "List only the decisions about this session."),
    parameter(
        "query",
        "balancer",
        TEXT,
        "Ask the balancer with this `url` of `GET /balancers`: each numbers its own decisions. If "
        "omitted, the first that responds is asked.",
    ),
]


def paths() -> dict[str, Any]:
    """Describe the views, and the command that drains a substation."""
    decisions = _view("The last decisions of the balancer, in pages", "Decisions")
    decisions["parameters"] = _DECISION_PARAMETERS
    decisions["responses"]["400"] = problem("A parameter is not valid")
    not_allowed = problem("The key is not an operator's, or a page of another site sent this")
    return {
        "/substations": {"get": _view("Every substation as the balancer sees it", "Grid")},
        "/history": {"get": _view("The last ten minutes of every substation", "History")},
        "/decisions": {"get": decisions},
        "/balancers": {
            "get": {
                "summary": "The balancers that this gateway knows",
                "responses": {"200": content("The state of each", ref("Balancers"))},
            }
        },
    } | drain_paths(ref("Substations"), {"403": not_allowed} | _UNREACHABLE)


def _view(summary: str, schema: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": content(summary, ref(schema)), **_UNREACHABLE}}


def schemas() -> dict[str, Any]:
    """Describe the views' responses."""
    balancer = an_object({"url": TEXT, "held": COUNT, "well": FLAG})
    return {
        "Balancers": an_object({"balancers": a_list(balancer)}),
        "Grid": an_object(
            {
                "policy": TEXT,
                "waiting": COUNT,
                "configuration_problem": NULLABLE_TEXT,
                "left_in_line": a_list(ref("LeftInLine")),
                "substations": a_list(ref("Substation")),
            }
        ),
        "Substations": an_object({"substations": a_list(ref("Substation"))}),
        "LeftInLine": an_object(
            {
                "session_id": TEXT,
                "vehicle_id": TEXT,
                "substation": TEXT,
                "waited_s": NUMBER,
                "predicted_start_s": NULLABLE_NUMBER,
                "predicted_finish_s": NULLABLE_NUMBER,
            }
        ),
        "Substation": an_object(
            {
                "name": TEXT,
                "address": TEXT,
                "health": {"enum": ["unknown", "up", "draining", "down"]},
                "reason": NULLABLE_TEXT,
                "drained": FLAG,
                "warning": NULLABLE_TEXT,
                "gauge": NULLABLE_COUNT,
                "gauge_age_s": NULLABLE_NUMBER,
                "own_load": COUNT,
                "foreign_load": COUNT,
                "load": COUNT,
                "capacity": NULLABLE_COUNT,
                "power_kw": NULLABLE_NUMBER,
                "power_limit_kw": NULLABLE_NUMBER,
                "point_power_kw": NULLABLE_NUMBER,
                "committed_power_kw": NULLABLE_NUMBER,
                "remaining_energy_kwh": NULLABLE_NUMBER,
                "next_finish_s": NULLABLE_NUMBER,
                "last_finish_s": NULLABLE_NUMBER,
            }
        ),
        "History": an_object(
            {"age_s": NUMBER, "interval_s": NUMBER, "substations": a_list(ref("SubstationHistory"))}
        ),
        "SubstationHistory": an_object(
            {
                "name": TEXT,
                "address": TEXT,
                "load": a_list(NULLABLE_NUMBER),
                "power_kw": a_list(NULLABLE_NUMBER),
                "power_limit_kw": a_list(NULLABLE_NUMBER),
            }
        ),
        "Decisions": an_object(
            {"last": COUNT, "next": NULLABLE_COUNT, "decisions": a_list(ref("Decision"))}
        ),
        "Decision": _decision(),
    }


def _decision() -> dict[str, Any]:
    # Seconds from the decision; null if a substation has no power at all.
    predicted = dict.fromkeys(("start_s", "charging_s", "finish_s"), NULLABLE_NUMBER)
    candidate = {
        "substation": TEXT,
        "load": COUNT,
        "capacity": whole_number(1),
        "score": NUMBER,
        "gauge_age_s": NUMBER,
    }
    return an_object(
        {
            "sequence": whole_number(1),
            "time": TIME,
            "session_id": TEXT,
            "vehicle_id": TEXT,
            "substation": TEXT,
            "attempt": whole_number(1),
            "waited_s": NUMBER,
            "policy": TEXT,
            "reason": TEXT,
            "candidates": a_list(an_object(candidate)),
            "candidates_left_out": COUNT,
            "passed_over": a_list(an_object({"substation": TEXT, "why": TEXT})),
            "passed_over_left_out": COUNT,
            "predicted": _or_null(an_object(predicted)),
            "next_best": _or_null(an_object({"substation": TEXT, **predicted})),
            "left_in_line_for": NULLABLE_TEXT,
        }
    )


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
