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
                one.substation == substation
                and one.began <= register.ended
                and register.began <= one.ended + _UNDER_WAY_S
                for one in disconnections
            )
    found.kwh_metered = sum(metered.values())
    found.kwh_written = sum(float(row.get("energy_kwh") or 0.0) for row in rows.values())
    known = set()
    for vehicle in vehicles:
        known |= vehicle.sessions
        _check(vehicle, rows, metered, allowed, found)
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


def _check(
    vehicle: Vehicle,
    rows: Mapping[str, Mapping[str, Any]],
    metered: Mapping[str, float],
    allowed: Mapping[str, float],
    found: Reconciliation,
) -> None:
    note = _Notes(vehicle, found)
    for trouble in vehicle.troubles:
        note(found.strange, f"was answered {trouble}")
    if len(vehicle.sessions) != 1:
        text = f"has {len(vehicle.sessions)} sessions: {sorted(vehicle.sessions)}"
        note(found.twice if vehicle.sessions else found.lost, text)
        return
    (session_id,) = vehicle.sessions
    row, state = rows.get(session_id), vehicle.state
    if state is None or row is None:
        note(found.lost, f"session {session_id}: no {'end' if row else 'row'}")
        return
    reported = ", ".join(f"{end} {kwh:.3f} kWh" for end, kwh in vehicle.ends)
    if any(end != vehicle.ends[0] for end in vehicle.ends) or row["state"] != state:
        note(found.twice, f"session {session_id}: told {reported}; ledger {row['state']}")
    if not vehicle.asked_again:
        note(
            found.strange,
            f"session {session_id}: told {reported}; its key had no such answer again",
        )
    _check_energy(vehicle, session_id, row, metered, allowed, found)


def _check_energy(
    vehicle: Vehicle,
    session_id: str,
    row: Mapping[str, Any],
    metered: Mapping[str, float],
    allowed: Mapping[str, float],
    found: Reconciliation,
) -> None:
    note, state = _Notes(vehicle, found), vehicle.state
    wanted = vehicle.kwh
    if state == "charged":
        found.charged += 1
        found.kwh_asked += vehicle.kwh
    elif state == "stopped" and vehicle.manner is Manner.STOPPED:
        found.stopped += 1
        wanted = vehicle.ends[-1][1]
    else:
        note(found.lost, f"session {session_id}: {state}, which nobody asked for")
        return
    written, kwh = float(row.get("energy_kwh") or 0.0), metered.get(session_id, 0.0)
    text = f"{wanted:.3f} kWh wanted, {kwh:.3f} metered, {written:.3f} in the ledger"
    if WH / 2 < kwh - wanted <= allowed.get(session_id, 0.0):
        found.excess[session_id] = kwh - wanted
        # Excess may be reported only after the session's end, so the record may lack it.
        agrees = wanted - WH / 2 <= written <= kwh + WH / 2
    else:
        agrees = max(abs(kwh - wanted), abs(written - kwh)) <= WH / 2
    if not agrees:
        note(found.unequal, f"session {session_id}: {text}")


class _Notes:
    """Notes a vehicle's problems and its sessions."""

    def __init__(self, vehicle: Vehicle, found: Reconciliation) -> None:
        self._name = f"vehicle {vehicle.number} ({vehicle.manner})"
        self._sessions = sorted(vehicle.sessions)
        self._found = found

    def __call__(self, kind: list[str], text: str) -> None:
        kind.append(f"{self._name}, {text}")
        self._found.sessions.update(dict.fromkeys(self._sessions))
