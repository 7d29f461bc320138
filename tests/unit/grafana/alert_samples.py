"""Alerts as Prometheus holds them, most of which lack labels that others have."""

import re
from typing import Any, NamedTuple


def series_of(name: str, labels: dict[str, str]) -> str:
    """Write a series as Prometheus does."""
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


class Sample(NamedTuple):
    """One alert, and what the dashboards make of it."""

    labels: dict[str, str]
    state: str
    about: str  # the label that annotations show, joined of others: as Prometheus makes it
    text: str  # the same as a reader sees it

    @property
    def series(self) -> str:
        """The alert as a series of Prometheus."""
        return series_of("ALERTS", {"alertstate": self.state, **self.labels})

    @property
    def mark(self) -> dict[str, str]:
        """The alert as the query of annotations answers it."""
        kept = ("alertname", "severity", "substation", "job", "reason")
        named = {name: self.labels[name] for name in kept if name in self.labels}
        return {**named, "about": self.about}

    def row(self, table: dict[str, Any]) -> dict[str, str]:
        """The alert as the query of a table answers it."""
        (kept,) = re.findall(r"sum by \((.*?)\)", table["targets"][0]["expr"])
        labels = {"alertstate": self.state, **self.labels}
        named = {name: value for name, value in labels.items() if name in kept.split(", ")}
        return {**named, "runbook": self.labels["alertname"]}


def _sample(state: str, about: str, **labels: str) -> Sample:
    return Sample(labels, state, about, " ".join(about.split()))


_SUBSTATIONS = [
    _sample(
        "pending",
        "warning substation3  ",
        alertname="SubstationNearlyFull",
        severity="warning",
        substation="substation3",
    ),
    _sample(
        "firing",
        "critical substation1 substation ",
        alertname="ServiceErrors",
        severity="critical",
        job="substation",
        substation="substation1",
        status="500",
    ),
    _sample(
        "firing",
        "critical substation2@10.0.0.7  ",
        alertname="SubstationDown",
        severity="critical",
        substation="substation2@10.0.0.7",
    ),
]
_GRID = [
    _sample("pending", "critical   ", alertname="GridFull", severity="critical"),
    _sample("firing", "warning   lost", alertname="Failovers", severity="warning", reason="lost"),
    _sample(
        "firing",
        "critical  load_balancer ",
        alertname="ServiceDown",
        severity="critical",
        job="load_balancer",
    ),
]
SAMPLES = _SUBSTATIONS + _GRID
TABLES = {"Alerts of substations": _SUBSTATIONS, "Alerts of the whole grid": _GRID}
