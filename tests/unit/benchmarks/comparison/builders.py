"""Figures and results for tests, with all that a test does not care about filled in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.comparison.figures import Figures
from benchmarks.comparison.limit import Limit
from benchmarks.comparison.results import ContenderRun, Entrant, Results, SceneResult

_FIGURES = Figures(
    vehicles=100,
    lost=0,
    refused_while_free=0,
    charged_twice=0,
    mean_s=2.0,
    p50_s=2.0,
    p99_s=3.0,
    limit=Limit(mean_s=2.0, p50_s=2.0, p99_s=3.0, imbalance=0.05),
    mean_imbalance=0.1,
    worst_imbalance=0.3,
    over_capacity=0,
    sent_to_full=0,
    bypass_vehicles=0,
    bypass_vehicles_turned_away=0,
    latest_send_s=0.001,
    others_share=0.01,
)


def make_figures(**values: Any) -> Figures:
    return replace(_FIGURES, **values)


def make_results(**scenes: Mapping[str, Figures]) -> Results:
    """Make results of scenes (their names with _ for a blank), each with figures by contender.

    A scene shares power, an hour of it in a second, where its limit is a bound of the mean alone.
    """
    keys = list(dict.fromkeys(key for runs in scenes.values() for key in runs))
    return Results(
        quick=False,
        seed=1,
        step_s=0.1,
        took_s=600.0,
        machine={
            "processor": "a processor",
            "cores": "2",
            "memory": "4 GiB",
            "system": "a system",
            "python": "3.13.0",
        },
        entrants=[Entrant(key, f"the {key}", "1.0") for key in keys],
        skipped={},
        scenes=[
            SceneResult(
                name.replace("_", " "),
                "A story.",
                ["first", "second"],
                [4, 4],
                {
                    key: ContenderRun(figures, [[0, 1, 2], [0, None, 4]])
                    for key, figures in runs.items()
                },
                3600.0 if any(one.limit.p50_s is None for one in runs.values()) else None,
            )
            for name, runs in scenes.items()
        ],
    )
