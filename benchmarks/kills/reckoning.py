"""What was told, what the ledger holds, and what the meters say: do they agree? Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.kills.vehicles import Manner, Vehicle

WH = 0.001  # kWh: to the Wh


@dataclass
class Reckoning:
    """What does not agree, in words; all empty where nothing is lost and nobody charged twice.

    Attributes:
        vehicles: how many asked.
        charged, stopped: how many ended so.
        kwh_asked: of those that were charged, kWh.
        kwh_metered: by all substations' registers, kWh.
        lost: sessions without an end, or with one that nobody asked for.
        twice: keys with several sessions, or ends that differ.
        unequal: sessions whose registers do not add up to what was asked, or told.
        excess: kWh over what was asked, by session, where a link to a substation was cut.
        strange: registers of sessions that the ledger does not know, and other oddities.
    """

    vehicles: int = 0
    charged: int = 0
    stopped: int = 0
    kwh_asked: float = 0.0
    kwh_metered: float = 0.0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    excess: dict[str, float] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing is lost, twice, unequal or strange."""
        return not (self.lost or self.twice or self.unequal or self.strange)


def reckon(
    vehicles: Sequence[Vehicle],
    ledger: Iterable[Mapping[str, Any]],
    registers: Mapping[str, Mapping[str, float]],
    *,
    cut_off: Mapping[str, float],
) -> Reckoning:
    """Compare.

    Args:
        vehicles: what each asked for and was told.
        ledger: its rows, as `GET /sessions` gives them.
        registers: kWh by session, of each substation.
        cut_off: the most kWh that a session may get too much where the substation's link was cut.
    """
    found = Reckoning(vehicles=len(vehicles))
    rows = {str(row["session_id"]): row for row in ledger}
    metered: defaultdict[str, float] = defaultdict(float)
    where: defaultdict[str, set[str]] = defaultdict(set)
    for substation, register in registers.items():
        for session_id, kwh in register.items():
            metered[session_id] += kwh
            where[session_id].add(substation)
    found.kwh_metered = sum(metered.values())
    known = set()
    for vehicle in vehicles:
        known |= vehicle.sessions
        _check(vehicle, rows, metered, where, cut_off, found)
    for session_id in metered.keys() - known:
        if metered[session_id] > WH:
            found.strange.append(
                f"session {session_id} got {metered[session_id]:.3f} kWh for nobody"
            )
    for session_id, row in rows.items():
        if row.get("state") in ("waiting", "charging"):
            found.lost.append(f"session {session_id} is still {row.get('state')}")
    return found


def _check(
    vehicle: Vehicle,
    rows: Mapping[str, Mapping[str, Any]],
    metered: Mapping[str, float],
    where: Mapping[str, set[str]],
    cut_off: Mapping[str, float],
    found: Reckoning,
) -> None:
    name = f"vehicle {vehicle.number} ({vehicle.manner})"
    for trouble in vehicle.troubles:
        found.strange.append(f"{name} was answered {trouble}")
    if len(vehicle.sessions) != 1:
        kind = found.twice if vehicle.sessions else found.lost
        kind.append(f"{name} has {len(vehicle.sessions)} sessions: {sorted(vehicle.sessions)}")
        return
    (session_id,) = vehicle.sessions
    row, state = rows.get(session_id), vehicle.state
    if state is None or row is None:
        found.lost.append(f"{name}, session {session_id}: no end" if row else f"{name}: no row")
        return
    if any(end != vehicle.ends[0] for end in vehicle.ends) or row["state"] != state:
        told = ", ".join(f"{end} {kwh:.3f} kWh" for end, kwh in vehicle.ends)
        found.twice.append(f"{name}, session {session_id}: told {told}; ledger {row['state']}")
    kwh = metered.get(session_id, 0.0)
    match state:
        case "charged":
            found.charged += 1
            found.kwh_asked += vehicle.kwh
            wanted = vehicle.kwh
        case "stopped" if vehicle.manner is Manner.STOPPED:
            found.stopped += 1
            wanted = vehicle.ends[-1][1]
        case _:
            found.lost.append(f"{name}, session {session_id}: {state}, which nobody asked for")
            return
    over = kwh - wanted
    allowed = sum(cut_off.get(substation, 0.0) for substation in where.get(session_id, ()))
    if WH / 2 < over <= allowed:
        found.excess[session_id] = over
    elif abs(over) > WH / 2:
        found.unequal.append(
            f"{name}, session {session_id}: {wanted:.3f} kWh wanted, {kwh:.3f} metered"
        )
    written = float(row.get("energy_kwh") or 0.0)
    if abs(written - kwh) > WH / 2 and session_id not in found.excess:
        found.unequal.append(
            f"{name}, session {session_id}: {written:.3f} kWh in the ledger, {kwh:.3f} metered"
        )
