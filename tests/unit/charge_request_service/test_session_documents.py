"""Sessions as CSV."""

import csv

from charge_request_service.sessions.documents import csv_of
from charge_request_service.sessions.record import Begin, End, Kind, Record, State


def charged(energy_kwh: float | None) -> Record:
    return Record(
        Begin("s1", None, 6.0, None, None, None, Kind.PLAIN, "", None, None, 60, 1_000_000, ""),
        End("s1", State.CHARGED, 2_000_000, substation="substation1", energy_kwh=energy_kwh),
    )


def test_the_energy_of_a_leg_is_left_empty_where_its_substation_did_not_report_it() -> None:
    known, unknown = csv.DictReader(csv_of([charged(6.0), charged(None)]).splitlines())
    assert (known["legs"], known["energy_kwh"]) == ("substation1=6.0", "6.0")
    assert (unknown["legs"], unknown["energy_kwh"]) == ("substation1=", "")
