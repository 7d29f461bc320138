"""What vehicles were told, and whether the counters of all parts agree with that. Pure."""

from collections.abc import Iterator, Mapping

from benchmarks.harness.log_reconciliation import (
    AttemptsBySubstation,
    Counters,
    Told,
    miscounts,
    moved,
    total,
)
from tests.support.fleet import FleetSession


def told(session: FleetSession) -> Told:
    """Return what a vehicle of the fleet was told."""
    return Told(
        vehicle_id=str(session.charge_request["vehicle_id"]),
        kwh=float(str(session.charge_request["kwh"])),
        charged=session.status == 200,
        substation=session.document.get("substation", ""),
        session_id=session.document.get("session_id", ""),
        tries=session.tries,
        reason=f"{session.status} {session.document or session.error}",
    )


def differing_counters(
    before: Mapping[str, Counters],
    after: Mapping[str, Counters],
    charged: int,
    attempts: AttemptsBySubstation,
) -> Iterator[str]:
    """Compare the counters of all parts that lived through a scene.

    Args:
        before: the counters of each part before the scene.
        after: those after it.
        charged: number of vehicles that were told that they are charged.
        attempts: the logged sessions of the scene.
    """
    grown = {
        name: {key: value - before[name].get(key, 0) for key, value in after[name].items()}
        for name in before
        if _started(before[name]) == _started(after[name])
    }
    # One that was killed amends the sessions that it finds again, and counts them from zero.
    several = moved(attempts)
    balancer = grown.get("balancer", after.get("balancer", {}))
    for name, logged in attempts.items():
        at = f'substation="{name}"'
        if name in grown:
            amended = total(balancer, "balancer_amended_charges_total", at)
            repeated = amended + len(several[name])
            yield from miscounts(name, grown[name], logged, repeated=repeated)
        if "balancer" in grown:
            dispatched = total(balancer, "balancer_dispatches_total", f'"charged",{at}')
            done = sum(one.charged and one.session_id not in several[name] for one in logged)
            # Of a session that moved, it counts each share but the last as stopped.
            if not done <= dispatched <= done + len(several[name]):
                yield (
                    f"the balancer counts {dispatched:g} charged at {name}, its log has {done} and "
                    f"{len(several[name])} that moved"
                )
    if gateway := grown.get("gateway"):
        came = total(gateway, "charge_requests_total")
        answered = total(gateway, "http_requests_total", 'method="POST",route="/charge"')
        if came != answered:
            yield f"the gateway counts {came:g} vehicles and {answered:g} answers"
        counted = total(gateway, "charge_requests_total", 'status="200"')
        if counted != charged:
            yield f"the gateway counts {counted:g} vehicles charged, {charged} were told so"


def _started(counters: Counters) -> float:
    return counters["process_start_time_seconds"]
