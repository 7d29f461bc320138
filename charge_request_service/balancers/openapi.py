"""The balancers' views and commands in the gateway's OpenAPI description."""

from datetime import datetime
from typing import Any

from grid_common.api.openapi import (
    IDENTIFIER,
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
        str,
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
    balancer = an_object({"url": str, "held": int, "well": bool})
    return {
        "Balancers": an_object({"balancers": a_list(balancer)}),
        "Grid": an_object(
            {
                "policy": str,
                "waiting": int,
                "configuration_problem": str | None,
                "left_in_line": a_list(ref("LeftInLine")),
                "substations": a_list(ref("Substation")),
            }
        ),
        "Substations": an_object({"substations": a_list(ref("Substation"))}),
        "LeftInLine": an_object(
            {
                "session_id": str,
                "vehicle_id": str,
                "substation": str,
                "waited_s": float,
                "predicted_start_s": float | None,
                "predicted_finish_s": float | None,
            }
        ),
        "Substation": an_object(
            {
                "name": str,
                "address": str,
                "health": {"enum": ["unknown", "up", "draining", "down"]},
                "reason": str | None,
                "drained": bool,
                "warning": str | None,
                "gauge": int | None,
                "gauge_age_s": float | None,
                "own_load": int,
                "foreign_load": int,
                "load": int,
                "capacity": int | None,
                "power_kw": float | None,
                "power_limit_kw": float | None,
                "point_power_kw": float | None,
                "committed_power_kw": float | None,
                "remaining_energy_kwh": float | None,
                "next_finish_s": float | None,
                "last_finish_s": float | None,
            }
        ),
        "History": an_object(
            {"age_s": float, "interval_s": float, "substations": a_list(ref("SubstationHistory"))}
        ),
        "SubstationHistory": an_object(
            {
                "name": str,
                "address": str,
                "load": a_list(float | None),
                "power_kw": a_list(float | None),
                "power_limit_kw": a_list(float | None),
            }
        ),
        "Decisions": an_object(
            {"last": int, "next": int | None, "decisions": a_list(ref("Decision"))}
        ),
        "Decision": _decision(),
    }


def _decision() -> dict[str, Any]:
    # Seconds from the decision; null if a substation has no power at all.
    predicted = dict.fromkeys(("start_s", "charging_s", "finish_s"), float | None)
    candidate = {
        "substation": str,
        "load": int,
        "capacity": whole_number(1),
        "score": float,
        "gauge_age_s": float,
    }
    return an_object(
        {
            "sequence": whole_number(1),
            "time": datetime,
            "session_id": str,
            "vehicle_id": str,
            "substation": str,
            "attempt": whole_number(1),
            "waited_s": float,
            "policy": str,
            "reason": str,
            "candidates": a_list(an_object(candidate)),
            "candidates_left_out": int,
            "passed_over": a_list(an_object({"substation": str, "why": str})),
            "passed_over_left_out": int,
            "predicted": _or_null(an_object(predicted)),
            "next_best": _or_null(an_object({"substation": str, **predicted})),
            "left_in_line_for": str | None,
        }
    )


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
