"""A simulated balancer: the routing core that serves, under the virtual clock.

What a session's wait and the end of an attempt come to, and when a substation is polled, is decided
by the modules that the dispatcher and the poller run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

from benchmarks.simulation.substation import Call, Response
from load_balancer.routing import wait
from load_balancer.routing.health import Reading
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.peer_loads import REPORT_PAUSE_S
from load_balancer.routing.policy import Decision, Policy
from load_balancer.routing.poll_schedule import MIN_PAUSE_S, PollSchedule
from load_balancer.routing.pool import Pool, QueueFull
from load_balancer.routing.substation import Dispatch, QueuedSession, Substation
from load_balancer.settings import Settings

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.world import World


POLL_TIMEOUT_S = float(Settings.model_fields["poll_timeout"].default)


class PooledBalancer:
    """Sends vehicles to substations through the real pool, over a network with delays."""

    def __init__(self, world: World, random: Random, policy: Policy) -> None:
        self._world = world
        self._random = random
        self._arrived = 0
        self._reported_version = -1
        self._pollers: dict[str, _Poller] = {}
        self.on_decision: Callable[[Decision], object] = lambda _decision: None
        settings = Settings.model_construct(poll_interval=world.scene.poll_interval_s)
        self.pool = Pool(
            policy,
            random=random,
            health_check=settings.health_check(),
            budget=settings.retry_budget(),
            balancers=world.scene.balancers,
            on_decision=lambda decision: self.on_decision(decision),
            on_poll_wanted=self._want_poll,
        )
        if world.scene.balancers > 1:
            world.timeline.after(self._random.random() * REPORT_PAUSE_S, self._report_to_peers)

    @property
    def waiting(self) -> int:
        """Number of vehicles in the queue."""
        return len(self.pool.waiting)

    @property
    def full_answers(self) -> int:
        """Number of times that a substation was full after all."""
        found_full = (Outcome.FULL, Outcome.DRAINING)
        return sum(n for (_, outcome), n in self.pool.dispatches.items() if outcome in found_full)

    @property
    def failovers(self) -> int:
        """Number of vehicles sent on because their substation failed."""
        return sum(self.pool.failovers.values())

    def _report_to_peers(self) -> None:
        """Report this balancer's vehicles to the other balancers, each after its own delay."""
        if self._reported_version != self.pool.held_version:
            self._reported_version = self.pool.held_version
            for peer in self._world.balancers:
                if peer is not self and isinstance(peer, PooledBalancer):
                    self._report_to(peer)
        pause_s = REPORT_PAUSE_S * self._random.uniform(1.0, 1.1)
        self._world.timeline.after(pause_s, self._report_to_peers)

    def _report_to(self, peer: PooledBalancer) -> None:
        held, name = self.pool.holds(), str(id(self))
        self._world.carry(lambda: peer.pool.peer_holds(name, held, self._world.now))

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Update the addresses behind the substations' names."""
        self.pool.set_substations(known, self._world.now)
        for substation in list(self.pool.substations.values()):
            poller = self._pollers.get(substation.address)
            if poller is None or not poller.runs:
                self._pollers[substation.address] = _Poller(
                    self._world, self.pool, substation, self._random
                )

    def arrive(self, vehicle: Vehicle) -> None:
        """Accept a vehicle's request."""
        self._arrived += 1
        _SimulatedSession(self._world, self.pool, vehicle, str(self._arrived)).arrive()

    def _want_poll(self, substation: Substation) -> None:
        poller = self._pollers.get(substation.address)
        if poller is not None:
            poller.want_poll()


class _SimulatedSession:
    """One vehicle's request, from arrival to response."""

    def __init__(self, world: World, pool: Pool, vehicle: Vehicle, session_id: str) -> None:
        self._world = world
        self._pool = pool
        self._vehicle = vehicle
        self._call: Call | None = None
        self._ended = False
        self._queued = QueuedSession(
            session_id,
            f"EV-{session_id}",
            arrived=world.now,
            deadline=world.now + world.scene.max_wait_s,
            demand=vehicle.arrival.demand,
            on_dispatch=self._dispatched,
            on_revoked=self._revoked,
        )

    def arrive(self) -> None:
        """Join the queue."""
        try:
            self._pool.arrive(self._queued, self._world.now)
        except QueueFull:
            self._refuse()
        else:
            self._wait()

    def _wait(self) -> None:
        """Take the next step of its wait, if it is in the queue."""
        if self._ended or self._queued.dispatch is not None:
            return
        if wait.step(self._pool, self._queued, self._world.now) is not None:
            self._refuse()
        elif self._queued.dispatch is None:
            self._world.timeline.at(self._queued.deadline, self._wait)

    def _refuse(self) -> None:
        self._world.refused(self._vehicle)
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._pool.leave(self._queued, self._world.now)
        self._world.observe()

    def _dispatched(self, dispatch: Dispatch) -> None:
        substation = self._world.substations[dispatch.substation.address]
        self._vehicle.dispatched_at = self._world.now
        self._vehicle.prediction = dispatch.decision.prediction
        self._call = Call(
            substation,
            self._world.carry,
            self._vehicle.arrival,
            self._vehicle,
            lambda response: self._answered(dispatch, response),
        )
        self._call.send()

    def _revoked(self, _dispatch: Dispatch) -> None:
        if self._call is not None:
            self._call.disconnect()
        # It is back at its old place in the queue, and may be dispatched at this very time.
        self._world.timeline.at(self._world.now, self._wait)

    def _answered(self, dispatch: Dispatch, response: Response) -> None:
        self._pool.end(
            dispatch,
            response.outcome,
            self._world.now,
            reading=response.reading if self._pool.peers else None,
            reason=response.reason,
            why=response.reason,
        )
        if response.outcome is Outcome.CHARGED:
            self._world.charged(self._vehicle)
            self._end()
        elif response.outcome is Outcome.ACCEPTED:
            self._world.accepted(self._vehicle)
            self._end()
        else:
            self._world.observe()
            self._wait()


class _Poller:
    """Polls one substation's gauge repeatedly."""

    def __init__(self, world: World, pool: Pool, substation: Substation, random: Random) -> None:
        self._world = world
        self._pool = pool
        self._substation = substation
        self._random = random
        self._schedule = PollSchedule()
        self._polls = 0  # started so far
        self._ended = 0  # the last one that ended, by a response or a timeout
        self._began = 0.0
        self._begin(self._polls)

    @property
    def runs(self) -> bool:
        """Whether the pool still knows the substation."""
        return self._pool.substations.get(self._substation.address) is self._substation

    def want_poll(self) -> None:
        """Request a poll as soon as possible."""
        at = self._schedule.want()
        if at is not None and at <= self._world.now:
            self._begin(self._polls)

    def _begin(self, after: int) -> None:
        """Poll, unless a poll has started since this one was scheduled."""
        if after != self._polls or not self.runs:
            return
        self._polls += 1
        self._began = self._world.now
        self._schedule.begin(self._began)
        self._pool.poll_began(self._substation, self._began)
        poll, carry = self._polls, self._world.carry
        substation = self._world.substations[self._substation.address]

        def reply(reading: Reading | None) -> None:
            carry(lambda: self._end(poll, reading))

        carry(lambda: substation.page_requested(reply))
        self._world.timeline.after(POLL_TIMEOUT_S, lambda: self._end(poll, None))

    def _end(self, poll: int, reading: Reading | None) -> None:
        if poll <= self._ended:
            return
        self._ended = poll
        now = self._world.now
        if reading is None:
            self._pool.poll_missed(self._substation, "no answer", now)
        else:
            self._pool.poll_read(self._substation, reading, now)
        self._world.observe()
        self._schedule.end(now, MIN_PAUSE_S)
        self._world.timeline.at(self._schedule.not_before, lambda: self._plan_next(poll))

    def _plan_next(self, poll: int) -> None:
        """Schedule the next poll. Its pause is drawn only now, as it always was in the report."""
        if self._schedule.is_wanted:
            self._begin(poll)
            return
        interval_s = self._pool.pause_s(self._substation, self._random)
        if self._world.scene.in_step:
            interval_s = self._world.scene.poll_interval_s
            interval_s -= self._began % interval_s
        self._world.timeline.at(self._schedule.next_at(interval_s), lambda: self._begin(poll))
