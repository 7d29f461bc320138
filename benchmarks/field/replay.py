"""Replays recorded sessions with the substation's model."""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from benchmarks.field.sessions import RecordedSession
from substation_service.substation import Charging, Demand, Outcome, Sharing, Substation


class ReplayedSession(NamedTuple):
    """How long a vehicle stayed, and how long it charges in the model, seconds."""

    recorded: RecordedSession
    charging_s: float
    waited_s: float  # for a point, because earlier vehicles charge longer than they stayed

    @property
    def stay_s(self) -> float:
        """From its arrival to its departure."""
        return self.recorded.departure - self.recorded.arrival

    @property
    def error(self) -> float:
        """Error of the model as a share of the stay; negative if it is faster."""
        return self.charging_s / self.stay_s - 1


def charge_all(
    substation: Substation,
    sessions: Sequence[RecordedSession],
    demand: Callable[[RecordedSession], Demand],
) -> list[ReplayedSession]:
    """Replay arrivals; each vehicle takes its energy and then leaves.

    Args:
        substation: an empty substation.
        sessions: in order of arrival.
        demand: returns what is known of a session's vehicle.
    """
    arrivals, line = deque(sessions), deque[RecordedSession]()
    charging: dict[Charging, RecordedSession] = {}
    replayed = []
    now = -inf
    while arrivals or charging:
        event = substation.next_event(now)
        arrival = arrivals[0].arrival if arrivals else inf
        now = arrival if event is None else min(arrival, event)
        for one in substation.finished(now):
            substation.unplug(one, now, Outcome.CHARGED)
            recorded = charging.pop(one)
            waited_s = one.began - recorded.arrival
            replayed.append(ReplayedSession(recorded, one.ends - one.began, waited_s))
        while arrivals and arrivals[0].arrival <= now:
            line.append(arrivals.popleft())
        while line and substation.load < substation.capacity:
            recorded = line.popleft()
            charging[substation.plug_in(demand(recorded), now)] = recorded
    return replayed


def energies(substation: Substation, sessions: Sequence[RecordedSession]) -> dict[str, float]:
    """Replay arrivals and departures; return the kWh that each vehicle has by its departure."""
    attempts = sorted(
        [(one.arrival, True, one) for one in sessions]
        + [(one.departure, False, one) for one in sessions],
        key=lambda attempt: attempt[:2],  # departures before simultaneous arrivals
    )
    charging: dict[str, Charging] = {}
    got = {}
    for now, comes, one in attempts:
        if comes:
            charging[one.session_id] = substation.plug_in(one.demand, now)
        else:
            left = charging.pop(one.session_id)
            got[one.session_id] = substation.unplug(left, now, Outcome.ABORTED)
    return got


def two_plugs() -> Substation:
    """Return EPFL's charger: two plugs that share 172.5 kW, half each, or what one leaves over."""
    return Substation(2, 172.5, 172.5, Sharing.EQUAL)
