"""Writes grafana/dashboards: run `python -m grafana` after changing this package or the runbook."""

from pathlib import Path

from grafana import balancer, glance, runbook, substation
from grafana.dashboard import text_of

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, str]:
    """Return the text of each dashboard's file, by name."""
    return {
        "grid-at-a-glance.json": text_of(glance.dashboard()),
        "load-balancer.json": text_of(balancer.dashboard()),
        "runbook.json": text_of(runbook.dashboard()),
        "substation.json": text_of(substation.dashboard()),
    }


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER / name}")
