"""A simulated balancer: the real pool, driven like by the dispatcher and the poller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

from benchmarks.simulation.substation import Call, CallResult, SimulatedSubstation
from load_balancer.peers import PAUSE_S
from load_balancer.routing.policy import Policy
from load_balancer.routing.pool import Pool, QueueFull
from load_balancer.routing.queue import Decision, Dispatch, QueuedSession
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import HealthCheck, Reading, Substation
from load_balancer.settings import Settings

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.world import World


def _default(setting: str) -> float:
    """Return a setting's default value."""
    return float(Settings.model_fields[setting].default)


POLL_TIMEOUT_S = _default("poll_timeout")
_MIN_PAUSE_S = 0.05  # between two polls of a substation


class PooledBalancer:
    """Sends vehicles to substations through the real pool, over a network with delays."""

    def __init__(self, world: World, policy: Policy, random: Random) -> None:
        self._world = world
        self._random = random
        self._arrived = 0
        self._reported_version = -1
        self._pollers: dict[str, _Poller] = {}
        self.on_decision: Callable[[Decision], object] = lambda _decision: None
        self.pool = Pool(
            policy,
            random=random,
            health_check=HealthCheck(
                interval_s=world.scene.poll_interval_s,
                misses=int(_default("poll_unhealthy_threshold")),
                longest_pause_s=_default("max_probe_pause"),
            ),
            budget=RetryBudget(
                share=_default("retry_budget_ratio"),
                floor_per_s=_default("retry_budget_min_per_s"),
                burst=_default("retry_burst"),
            ),
            balancers=world.scene.balancers,
            on_decision=lambda decision: self.on_decision(decision),
            on_poll_wanted=self._want_poll,
        )
        if world.scene.balancers > 1:
            world.timeline.after(self._random.random() * PAUSE_S, self._report_to_peers)

    @property
    def waiting(self) -> int:
        """Number of vehicles in the queue."""
        return len(self.pool.waiting)

    @property
    def full_answers(self) -> int:
        """Number of times that a substation was full after all."""
        return sum(n for (_, outcome), n in self.pool.dispatches.items() if outcome == "full")

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
        self._world.timeline.after(PAUSE_S * self._random.uniform(1.0, 1.1), self._report_to_peers)

    def _report_to(self, peer: PooledBalancer) -> None:
        held, name = self.pool.holds(), str(id(self))
        self._world.network.carry(lambda: peer.pool.peer_holds(name, held, self._world.now))

    def substation_changed(self, substation: SimulatedSubstation) -> None:
        """Ignore it: this balancer only learns from polls and responses."""

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
        session = _SimulatedSession(self._world, self.pool, vehicle, str(self._arrived))
        try:
            self.pool.arrive(session.queued, self._world.now)
        except QueueFull:
            session.refuse()
        else:
            session.plan_deadline()

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
        self.queued = QueuedSession(
            session_id,
            f"EV-{session_id}",
            arrived=world.now,
            deadline=world.now + world.scene.max_wait_s,
            demand=vehicle.arrival.demand,
            on_dispatch=self._dispatched,
            on_revoked=self._revoked,
        )

    def plan_deadline(self) -> None:
        """Schedule the refusal of the vehicle in case it is still in the queue at its deadline."""
        if self.queued.dispatch is None:
            self._world.timeline.at(self.queued.deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        over = self._world.now >= self.queued.deadline
        if over and self.queued.dispatch is None and not self._ended:
            self._pool.last_call(self.queued, self._world.now)
            if self.queued.dispatch is None:
                self.refuse()

    def refuse(self) -> None:
        """Respond with 503."""
        self._world.refused(self._vehicle)
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._pool.leave(self.queued, self._world.now)
        self._world.observe()

    def _dispatched(self, dispatch: Dispatch) -> None:
        substation = self._world.substations[dispatch.substation.address]
        self._vehicle.dispatched_at = self._world.now
        self._vehicle.prediction = dispatch.decision.prediction
        self._call = Call(
            substation,
            self._world.network,
            self._vehicle.arrival,
            self._vehicle,
            lambda answer, reading: self._answered(dispatch, answer, reading),
        )
        self._call.send()

    def _revoked(self, _dispatch: Dispatch) -> None:
        if self._call is not None:
            self._call.disconnect()
        # It is back at its old place in the queue, and may be dispatched at this very time.
        self._world.timeline.at(self._world.now, self.plan_deadline)

    def _answered(self, dispatch: Dispatch, answer: CallResult, reading: Reading | None) -> None:
        now = self._world.now
        if answer is CallResult.CHARGED:
            self._world.charged(self._vehicle)
            self._pool.completed(dispatch, now, reading if self._pool.peers else None)
            self._end()
            return
        if answer is CallResult.FULL:
            self._pool.found_full(dispatch, now)
        elif answer is CallResult.DRAINING:
            self._pool.found_draining(dispatch, now)
        else:
            reason = answer.name.lower()
            self._pool.failed(dispatch, reason, reason, now)
        self._world.observe()
        self.plan_deadline()


class _Poller:
    """Polls one substation's gauge repeatedly."""

    def __init__(self, world: World, pool: Pool, substation: Substation, random: Random) -> None:
        self._world = world
        self._pool = pool
        self._substation = substation
        self._random = random
        self._polls = 0  # started so far
        self._heard = 0  # the last one that ended, by a response or a timeout
        self._began = 0.0
        self._sleeps = False
        self._wanted = False
        self._begin(self._polls)

    @property
    def runs(self) -> bool:
        """Whether the pool still knows the substation."""
        return self._pool.substations.get(self._substation.address) is self._substation

    def want_poll(self) -> None:
        """Request a poll as soon as possible."""
        self._wanted = True
        if self._sleeps:
            self._begin(self._polls)

    def _begin(self, after: int) -> None:
        """Poll, unless a poll has started since this one was scheduled."""
        if after != self._polls or not self.runs:
            return
        self._polls += 1
        self._sleeps = self._wanted = False
        self._began = self._world.now
        poll = self._polls
        self._pool.poll_began(self._substation, self._began)
        substation, network = self._world.substations[self._substation.address], self._world.network

        def reply(reading: Reading | None) -> None:
            network.carry(lambda: self._hear(poll, reading))

        network.carry(lambda: substation.page_requested(reply))
        self._world.timeline.after(POLL_TIMEOUT_S, lambda: self._hear(poll, None))

    def _hear(self, poll: int, reading: Reading | None) -> None:
        if poll <= self._heard:
            return
        self._heard = poll
        now = self._world.now
        if reading is None:
            self._pool.poll_missed(self._substation, "no answer", now)
        else:
            self._pool.poll_read(self._substation, reading, now)
        self._world.observe()
        self._world.timeline.after(_MIN_PAUSE_S, lambda: self._sleep(poll))

    def _sleep(self, poll: int) -> None:
        if self._wanted:
            self._begin(poll)
            return
        self._sleeps = True
        due = self._began + self._pool.pause_s(self._substation, self._random)
        if self._world.scene.in_step:
            interval_s = self._world.scene.poll_interval_s
            due = (self._began // interval_s + 1) * interval_s
        self._world.timeline.at(due, lambda: self._begin(poll))
