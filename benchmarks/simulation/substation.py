"""A simulated substation: the real points and power, its gauges, and its failures.

The message delays between it and the balancers create races between polls and dispatches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum, inf
from typing import TYPE_CHECKING, NamedTuple

from grid_common.http.client import ConnectError, ReadError
from load_balancer.routing.health import Reading
from load_balancer.routing.outcome import Outcome
from substation_service.charging import Charging, Demand
from substation_service.substation import Outcome as ModelOutcome
from substation_service.substation import Substation as Model
from substation_service.substation import SubstationFull

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Arrival, Vehicle
    from benchmarks.simulation.scenes import SubstationSpec
    from benchmarks.simulation.timeline import Action, Carry, Timeline


class Response(NamedTuple):
    """The response to a charge request, or what broke the connection."""

    outcome: Outcome
    reason: str = ""  # if the connection broke
    reading: Reading | None = None  # the load report, if charged


REFUSED = Response(Outcome.FAILED, ConnectError.reason)
RESET = Response(Outcome.FAILED, ReadError.reason)  # the substation died meanwhile


@dataclass(eq=False, slots=True)
class Call:
    """A charge request, held until it is answered or its caller disconnects.

    Attributes:
        substation: the substation that is asked.
        carry: delivers the request and the response.
        arrival: the vehicle's arrival.
        vehicle: the vehicle; None: a bypass vehicle.
        on_answer: handles the response.
        gone: whether the caller disconnected.
        is_answered: whether the substation has responded.
    """

    substation: SimulatedSubstation
    carry: Carry
    arrival: Arrival
    vehicle: Vehicle | None
    on_answer: Callable[[Response], object]
    gone: bool = False
    is_answered: bool = False

    def send(self) -> None:
        """Send the request."""
        self.carry(lambda: self.substation.receive(self))

    def disconnect(self) -> None:
        """Abandon the request; a response on its way is ignored."""
        self.gone = True
        self.carry(lambda: self.substation.disconnected(self))

    def answer(self, response: Response) -> None:
        """Send the substation's response, unless it has responded already."""
        if not self.is_answered:
            self.is_answered = True
            self.carry(lambda: None if self.gone else self.on_answer(response))


class SimulatedSubstation:
    """A substation with the real substation's points, sessions and power."""

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
        self.listed = spec.listed  # whether its name resolves to it
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

    @property
    def load(self) -> int:
        """Number of charging vehicles."""
        return self._model.load

    @property
    def power_limit_kw(self) -> float:
        """Maximum power that it may draw."""
        return self._model.power_limit_kw

    @property
    def is_usable(self) -> bool:
        """Whether a vehicle that arrived now would be served."""
        return self.alive and not self.frozen and not self.draining and self.listed

    @property
    def has_free_point(self) -> bool:
        """Whether a vehicle that arrived now would find a free point."""
        return self.is_usable and self.load < self.capacity

    # Its two endpoints

    def receive(self, call: Call) -> None:
        """Accept or refuse a charge request."""
        if not self.alive:
            call.answer(REFUSED)
        elif self.frozen:
            self._backlog.append(lambda: self.receive(call))
        elif call.gone:
            return
        elif self.draining:
            call.answer(Response(Outcome.DRAINING))
        elif self._spec.response is Outcome.REJECTED:
            call.answer(Response(Outcome.REJECTED))
        else:
            self._plug_in(call)

    def page_requested(self, reply: Callable[[Reading | None], object]) -> None:
        """Reply with the gauge; None if nothing listens."""
        if self.frozen:
            self._backlog.append(lambda: self.page_requested(reply))
        elif self.alive:
            reply(self._gauges())
        else:
            reply(None)

    def disconnected(self, call: Call) -> None:
        """Handle a caller's disconnect, which frees its point."""
        if self.frozen:
            self._backlog.append(lambda: self.disconnected(call))
        elif call in self._charging:
            self._unplug(call, ModelOutcome.ABORTED)

    # Its events

    def inject(self, what: str) -> None:
        """Trigger an event of a scene."""
        match what:
            case "is killed":
                self._kill()
            case "starts":  # again, empty
                self.alive, self.draining = True, False
            case "freezes":  # keeps everything, and sends nothing
                self.frozen = True
            case "thaws":
                self._thaw()
            case "drains":  # accepts nothing new, finishes its vehicles, then exits
                self.draining = True
                self._exit_if_done()
            case "appears":  # among the addresses of its name
                self.listed = True
            case "vanishes":  # from them; its vehicles are finished
                self.listed = False
            case "has its limit halved":
                self._set_limit(0.5)
            case "has its limit back":
                self._set_limit(1.0)
            case _:
                raise ValueError(f"{self.name} {what}: there is no such event")
        self._on_change(self)

    def _kill(self) -> None:
        """Die at once: all held requests are reset."""
        calls = list(self._charging)
        self._empty()
        self._backlog.clear()
        self.alive = self.frozen = False
        for call in calls:
            call.answer(RESET)

    def _thaw(self) -> None:
        """Resume: process what arrived meanwhile, including disconnects."""
        self.frozen = False
        backlog, self._backlog = self._backlog, []
        for action in backlog:
            action()
        self._see_who_is_charged()
        self._changed()  # its event may have come meanwhile

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
            call.answer(Response(Outcome.FULL))
            return
        if self._spec.response is Outcome.ACCEPTED:
            call.answer(Response(Outcome.ACCEPTED))
        self._changed()

    def _changed(self) -> None:
        """Schedule the next event, which supersedes the one scheduled before."""
        model = self._model
        self._plans += 1
        plan, event = self._plans, model.next_event(self._now)
        if model.is_shared:
            over_kw = model.power_kw - model.power_limit_kw
            self.worst_over_limit_kw = max(self.worst_over_limit_kw, over_kw)
        if event is not None:
            self._timeline.at(event, lambda: self._follow(plan))
        self._on_change(self)

    def _follow(self, plan: int) -> None:
        """Process an event, unless it was superseded."""
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
        self._model.unplug(self._charging.pop(call), self._now, ModelOutcome.CHARGED)
        # Before the others learn of it: a drained substation may exit after its last vehicle.
        call.answer(Response(Outcome.CHARGED, reading=self._gauges()))
        self._free_a_point()

    def _unplug(self, call: Call, outcome: ModelOutcome) -> None:
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
        # The substation uses what vehicles stated, which may differ from what they take.
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
