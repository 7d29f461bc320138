"""Reads real charging sessions for the comparisons."""

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from substation_service.substation import Demand

EPFL = "epfl_desl_sessions.csv"
CALTECH = "caltech_2019-03_sessions.csv"


class RecordedSession(NamedTuple):
    """A vehicle's stay at a real point. Times in seconds of one clock."""

    session_id: str
    point: str
    arrival: float
    departure: float
    demand: Demand
    controlled: bool = False  # a grid experiment may have lowered its power


def read_epfl(file: Path) -> list[RecordedSession]:
    """Read the sessions of EPFL's fast charger, in order of arrival."""
    return [
        RecordedSession(
            row["session_id"],
            row["plug"],
            (arrival := _time(row["arrival"])),
            arrival + 60 * float(row["stay_min"]),
            Demand(
                float(row["energy_wh"]) / 1000,
                float(row["pmax_w"]) / 1000,
                float(row["energy_capacity_wh"]) / 1000,
                float(row["soc_arrival"]) / 100,
            ),
            row["controlled"] == "1",
        )
        for row in _rows(file)
    ]


def read_caltech(file: Path) -> list[RecordedSession]:
    """Read the sessions of Caltech's workplace chargers, in order of arrival."""
    return [
        RecordedSession(
            row["session_id"],
            row["station_id"],
            _time(row["arrival_utc"]),
            _time(row["departure_utc"]),
            Demand(float(row["requested_energy_kwh"]), float(row["ev_max_power_kw"])),
        )
        for row in _rows(file)
    ]


def _rows(file: Path) -> Iterator[Mapping[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _time(text: str) -> float:
    # A time without a zone is local; it is enough that all are read in the same zone.
    return datetime.fromisoformat(text if text.endswith("Z") else f"{text}Z").timestamp()
