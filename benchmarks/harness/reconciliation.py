"""Compares the responses, the ledger and the meters. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.harness.vehicles import Manner, Vehicle

WH = 0.001  # kWh: to the Wh
# A charge on its way to a disconnected or frozen substation arrives when that is over. Seconds.
_UNDER_WAY_S = 1.0


class Register(NamedTuple):
    """What a substation has delivered to a session, kWh, and when, seconds since 1970."""

    kwh: float
    began: float
    ended: float


class Disconnection(NamedTuple):
    """When a substation was disconnected or frozen, seconds since 1970."""

    substation: str
    began: float
    ended: float

    def meets(self, substation: str, began: float, ended: float) -> bool:
        """Return whether it met what charged at a substation in this time."""
        return (
            self.substation == substation
            and self.began <= ended
            and began <= self.ended + _UNDER_WAY_S
        )


@dataclass
class Reconciliation:
    """The differences, in words; all empty if nothing was lost or charged twice.

    Attributes:
        vehicles: number of vehicles.
        charged, stopped: how many ended that way.
        kwh_asked: requested by the charged ones, kWh.
        kwh_metered: in all substations' registers, kWh.
        kwh_written: in the ledger, kWh.
        lost: sessions without an end, or with one that was not requested.
        twice: keys with several sessions, or ends that differ.
        unequal: sessions whose registers differ from the request or the response.
        excess: kWh beyond the request, by session, if its substation was disconnected or frozen.
        strange: registers of sessions that the ledger does not know, and other oddities.
        sessions: the sessions concerned.
    """

    vehicles: int = 0
    charged: int = 0
    stopped: int = 0
    kwh_asked: float = 0.0
    kwh_metered: float = 0.0
    kwh_written: float = 0.0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    excess: dict[str, float] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    sessions: dict[str, None] = field(default_factory=dict)

    @property
    def troubles(self) -> dict[str, list[str]]:
        """The differences by kind; empty if there are none."""
        kinds = ("lost", "twice", "unequal", "strange")
        return {kind: texts for kind in kinds if (texts := getattr(self, kind))}

    def note(self, kind: list[str], vehicle: Vehicle, text: str) -> None:
        """Add a difference of a vehicle to one of the kinds, and its sessions."""
        kind.append(f"vehicle {vehicle.number} ({vehicle.manner}), {text}")
        self.sessions.update(dict.fromkeys(sorted(vehicle.sessions)))


def reconcile(
    vehicles: Sequence[Vehicle],
    ledger: Iterable[Mapping[str, Any]],
    registers: Mapping[str, Mapping[str, Register]],
    *,
    disconnections: Iterable[Disconnection],
    lease_kwh: float,
) -> Reconciliation:
    """Compare.

    Args:
        vehicles: the requests and the responses of each.
        ledger: its rows, as in `GET /sessions`.
        registers: the energy that each substation has for each session.
        disconnections: of substations that were disconnected or frozen.
        lease_kwh: maximum excess of a session for each disconnection during which it charged.
    """
    found = Reconciliation(vehicles=len(vehicles))
    rows = {str(row["session_id"]): row for row in ledger}
    metered: defaultdict[str, float] = defaultdict(float)
    allowed: defaultdict[str, float] = defaultdict(float)
    disconnections = list(disconnections)
    for substation, by_session in registers.items():
        for session_id, register in by_session.items():
            metered[session_id] += register.kwh
            allowed[session_id] += lease_kwh * sum(
                one.meets(substation, register.began, register.ended) for one in disconnections
            )
    found.kwh_metered = sum(metered.values())
    found.kwh_written = sum(float(row.get("energy_kwh") or 0.0) for row in rows.values())
    known = set()
    for vehicle in vehicles:
        known |= vehicle.sessions
        if row := _check_end(vehicle, rows, found):
            (session_id,) = vehicle.sessions
            _check_energy(vehicle, row, metered[session_id], allowed[session_id], found)
    for session_id in metered.keys() - known:
        if metered[session_id] > WH:
            found.sessions[session_id] = None
            found.strange.append(
                f"session {session_id} got {metered[session_id]:.3f} kWh for nobody"
            )
    for session_id, row in rows.items():
        if row.get("state") in ("waiting", "charging"):
            found.sessions[session_id] = None
            found.lost.append(f"session {session_id} is still {row.get('state')}")
    return found


def _check_end(
    vehicle: Vehicle, rows: Mapping[str, Mapping[str, Any]], found: Reconciliation
) -> Mapping[str, Any] | None:
    """Return the row of a vehicle's session; None if it has no single session with an end."""
    for trouble in vehicle.troubles:
        found.note(found.strange, vehicle, f"was answered {trouble}")
    if len(vehicle.sessions) != 1:
        text = f"has {len(vehicle.sessions)} sessions: {sorted(vehicle.sessions)}"
        found.note(found.twice if vehicle.sessions else found.lost, vehicle, text)
        return None
    (session_id,) = vehicle.sessions
    row, state = rows.get(session_id), vehicle.state
    if state is None or row is None:
        found.note(found.lost, vehicle, f"session {session_id}: no {'end' if row else 'row'}")
        return None
    told = f"session {session_id}: told " + ", ".join(
        f"{end} {kwh:.3f} kWh" for end, kwh in vehicle.ends
    )
    if any(end != vehicle.ends[0] for end in vehicle.ends) or row["state"] != state:
        found.note(found.twice, vehicle, f"{told}; ledger {row['state']}")
    if not vehicle.asked_again:
        found.note(found.strange, vehicle, f"{told}; its key had no such answer again")
    return row


def _check_energy(
    vehicle: Vehicle,
    row: Mapping[str, Any],
    metered_kwh: float,
    allowed_kwh: float,
    found: Reconciliation,
) -> None:
    session_id, state, wanted_kwh = str(row["session_id"]), vehicle.state, vehicle.kwh
    if state == "charged":
        found.charged += 1
        found.kwh_asked += vehicle.kwh
    elif state == "stopped" and vehicle.manner is Manner.STOPPED:
        found.stopped += 1
        wanted_kwh = vehicle.ends[-1][1]
    else:
        text = f"session {session_id}: {state}, which nobody asked for"
        found.note(found.lost, vehicle, text)
        return
    written_kwh = float(row.get("energy_kwh") or 0.0)
    if WH / 2 < metered_kwh - wanted_kwh <= allowed_kwh:
        found.excess[session_id] = metered_kwh - wanted_kwh
        # Excess may be reported only after the session's end, so the record may lack it.
        agrees = wanted_kwh - WH / 2 <= written_kwh <= metered_kwh + WH / 2
    else:
        agrees = max(abs(metered_kwh - wanted_kwh), abs(written_kwh - metered_kwh)) <= WH / 2
    if not agrees:
        text = (
            f"session {session_id}: {wanted_kwh:.3f} kWh wanted, {metered_kwh:.3f} metered, "
            f"{written_kwh:.3f} in the ledger"
        )
        found.note(found.unequal, vehicle, text)
