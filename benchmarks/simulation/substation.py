"""A simulated substation: the real one's points and power, its gauges, and the ways it can fail.

The message delays between it and the balancers are what makes polls and dispatches race.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import fsum, inf
from typing import TYPE_CHECKING

from load_balancer.routing.substation import Reading
from substation_service.charging import Charging, Demand
from substation_service.substation import Outcome, SubstationFull
from substation_service.substation import Substation as Model

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Arrival, Vehicle
    from benchmarks.simulation.scenes import SubstationSpec
    from benchmarks.simulation.timeline import Action, Network, Timeline


class CallResult(Enum):
    """What comes back for a request to charge."""

    CHARGED = auto()
    FULL = auto()
    DRAINING = auto()
    REFUSED = auto()  # nobody listens there
    RESET = auto()  # the substation died on the way


class Call:
    """A request to charge, held until it is answered or its caller disconnects."""

    __slots__ = ("_network", "_on_answer", "_substation", "arrival", "gone", "vehicle")

    def __init__(
        self,
        substation: SimulatedSubstation,
        network: Network,
        arrival: Arrival,
        vehicle: Vehicle | None,
        on_answer: Callable[[CallResult, Reading | None], object],
    ) -> None:
        self._substation = substation
        self._network = network
        self._on_answer = on_answer
        self.arrival = arrival
        self.vehicle = vehicle  # None: a bypass vehicle, who came past the balancers
        self.gone = False  # the caller disconnected

    def send(self) -> None:
        """Send the request on its way."""
        self._network.carry(lambda: self._substation.receive(self))

    def disconnect(self) -> None:
        """Give up the request; whatever is on its way back is not heard any more."""
        self.gone = True
        self._network.carry(lambda: self._substation.disconnected(self))

    def answer(self, answer: CallResult, reading: Reading | None = None) -> None:
        """Send the substation's answer on its way back.

        With what the substation tells of itself.
        """
        self._network.carry(lambda: None if self.gone else self._on_answer(answer, reading))


class SimulatedSubstation:
    """A substation whose points, sessions and power are the real substation's."""

    def __init__(
        self,
        spec: SubstationSpec,
        time_scale: float,
        timeline: Timeline,
        on_change: Callable[[SimulatedSubstation], object],
    ) -> None:
        self.name = spec.name
        self.capacity = spec.capacity
        self.alive = True
        self.frozen = False
        self.draining = False
        self.listed = spec.listed  # among the addresses behind its name
        self.worst_over_limit_kw = 0.0
        self._spec = spec
        self._time_scale = time_scale
        self._timeline = timeline
        self._on_change = on_change
        self._backlog: list[Action] = []
        self._plans = 0
        self._empty()

    def _empty(self) -> None:
        spec = self._spec
        self._model = Model(
            spec.capacity, spec.point_power_kw, spec.power_limit_kw, time_scale=self._time_scale
        )
        self._charging: dict[Call, Charging] = {}
        self._shares = False  # the limit holds back what charges here

    @property
    def load(self) -> int:
        """Vehicles that charge here."""
        return self._model.load

    @property
    def power_limit_kw(self) -> float:
        """The most power that it may draw."""
        return self._model.power_limit_kw

    @property
    def is_usable(self) -> bool:
        """Whether a vehicle that came here now would be served."""
        return self.alive and not self.frozen and not self.draining and self.listed

    @property
    def has_free_point(self) -> bool:
        """Whether a vehicle that came here now would find a point."""
        return self.is_usable and self.load < self.capacity

    # Its two endpoints

    def receive(self, call: Call) -> None:
        """Take a request to charge in, or turn it away."""
        if not self.alive:
            call.answer(CallResult.REFUSED)
        elif self.frozen:
            self._backlog.append(lambda: self.receive(call))
        elif call.gone:
            return
        elif self.draining:
            call.answer(CallResult.DRAINING)
        else:
            self._plug_in(call)

    def page_requested(self, reply: Callable[[Reading | None], object]) -> None:
        """Tell the gauge; None where nobody listens."""
        if self.frozen:
            self._backlog.append(lambda: self.page_requested(reply))
        elif self.alive:
            reply(self._gauges())
        else:
            reply(None)

    def disconnected(self, call: Call) -> None:
        """See that a caller is gone: its point is free."""
        if self.frozen:
            self._backlog.append(lambda: self.disconnected(call))
        elif call in self._charging:
            self._unplug(call, Outcome.ABORTED)

    # What happens to it

    def inject(self, what: str) -> None:
        """Let one of the things happen that a scene may plan."""
        happens: dict[str, Action] = {
            "is killed": self.kill,
            "starts": self.start,
            "freezes": self.freeze,
            "thaws": self.thaw,
            "drains": self.drain,
            "appears": self.appear,
            "vanishes": self.vanish,
            "has its limit halved": lambda: self._set_limit(0.5),
            "has its limit back": lambda: self._set_limit(1.0),
        }
        happens[what]()

    def kill(self) -> None:
        """Die at once: every request that is held is reset."""
        calls = list(self._charging)
        self._empty()
        self._backlog.clear()
        self.alive = self.frozen = False
        for call in calls:
            call.answer(CallResult.RESET)
        self._on_change(self)

    def start(self) -> None:
        """Come back, empty."""
        self.alive, self.draining = True, False
        self._on_change(self)

    def freeze(self) -> None:
        """Stop, holding everything, and say nothing."""
        self.frozen = True
        self._on_change(self)

    def thaw(self) -> None:
        """Go on: what came in meanwhile is seen first, so callers that are gone are let go."""
        self.frozen = False
        backlog, self._backlog = self._backlog, []
        for action in backlog:
            action()
        self._see_who_is_charged()
        self._on_change(self)

    def appear(self) -> None:
        """Be among the addresses behind its name."""
        self.listed = True
        self._on_change(self)

    def vanish(self) -> None:
        """Be no longer among them; what is there is finished."""
        self.listed = False
        self._on_change(self)

    def drain(self) -> None:
        """Take nothing new, finish what is there, then exit."""
        self.draining = True
        self._exit_if_done()
        self._on_change(self)

    def _set_limit(self, share: float) -> None:
        self._model.set_limit(share * self._model.standing_limit_kw, self._now, until=inf)
        self._changed()

    # Its sessions

    @property
    def _now(self) -> float:
        return self._timeline.now

    def _plug_in(self, call: Call) -> None:
        demand = call.arrival.is_in_truth or call.arrival.demand
        try:
            self._charging[call] = self._model.plug_in(Demand(*demand), self._now)
        except SubstationFull:
            call.answer(CallResult.FULL)
            return
        if not self._model.is_shared:
            self._plan_end(call)
        self._changed()

    def _changed(self) -> None:
        """Plan what happens by itself: each end where nobody shares, else the next event."""
        model, shared_before = self._model, self._shares
        self._shares = model.is_shared
        if self._shares:
            self._plans += 1
            plan, event = self._plans, model.next_event(self._now)
            over_kw = model.power_kw - model.power_limit_kw
            self.worst_over_limit_kw = max(self.worst_over_limit_kw, over_kw)
            if event is not None:
                self._timeline.at(event, lambda: self._follow(plan))
        elif shared_before:
            for call in self._charging:
                self._plan_end(call)
        self._on_change(self)

    def _plan_end(self, call: Call) -> None:
        charging = self._charging[call]
        self._timeline.at(charging.ends, lambda: self._look_at(call, charging))

    def _look_at(self, call: Call, charging: Charging) -> None:
        """End a session, unless it has ended otherwise, or now shares and ends later."""
        if self._charging.get(call) is charging and not self.frozen and not self._shares:
            if charging.ends <= self._now:
                self._charged(call)
            else:
                self._plan_end(call)

    def _follow(self, plan: int) -> None:
        """Go on from an event, unless there was another since."""
        if plan == self._plans and self.alive and not self.frozen:
            self._model.advance(self._now)
            self._see_who_is_charged()
            self._changed()

    def _see_who_is_charged(self) -> None:
        finished = set(self._model.finished(self._now))
        for call in [one for one, charging in self._charging.items() if charging in finished]:
            self._charged(call)

    def _charged(self, call: Call) -> None:
        if call.vehicle is not None:
            call.vehicle.charges += 1
        self._model.unplug(self._charging.pop(call), self._now, Outcome.CHARGED)
        # Before anybody sees it gone: it may have waited for this vehicle alone.
        call.answer(CallResult.CHARGED, self._gauges())
        self._free_a_point()

    def _unplug(self, call: Call, outcome: Outcome) -> None:
        self._model.unplug(self._charging.pop(call), self._now, outcome)
        self._free_a_point()

    def _free_a_point(self) -> None:
        self._exit_if_done()
        self._changed()

    def _exit_if_done(self) -> None:
        if self.draining and not self._charging:
            self.alive = False

    def _gauges(self) -> Reading:
        model = self._model
        # The substation counts on what vehicles told, which need not be what they take.
        remaining_kwh = fsum(
            max(0.0, call.arrival.demand.kwh - charging.delivered_kwh(self._now))
            for call, charging in self._charging.items()
        )
        model.advance(self._now)
        return Reading(
            load=self.load,
            capacity=self.capacity,
            draining=self.draining,
            power_kw=model.power_kw,
            power_limit_kw=model.power_limit_kw,
            point_power_kw=model.point_power_kw,
            committed_power_kw=model.committed_power_kw,
            remaining_energy_kwh=remaining_kwh,
            time_scale=model.time_scale,
        )
