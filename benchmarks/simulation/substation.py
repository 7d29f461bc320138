"""A simulated substation: real admission, a gauge that is what is there, and the ways it can fail.

The message delays between it and the balancers are what makes polls and dispatches race.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from load_balancer.site import Reading

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.timeline import Action, Network, Timeline


class Answer(Enum):
    """What comes back for a request to charge."""

    CHARGED = auto()
    FULL = auto()
    DRAINING = auto()
    REFUSED = auto()  # nobody listens there
    RESET = auto()  # the site died on the way


class Call:
    """A request to charge, held until it is answered or its caller hangs up."""

    __slots__ = ("_network", "_on_answer", "_site", "ended", "gone", "held_s", "vehicle")

    def __init__(
        self,
        site: Substation,
        network: Network,
        vehicle: Vehicle | None,
        held_s: float,
        on_answer: Callable[[Answer], object],
    ) -> None:
        self._site = site
        self._network = network
        self._on_answer = on_answer
        self.vehicle = vehicle  # None: a stranger, who came past the balancers
        self.held_s = held_s
        self.gone = False  # the caller hung up
        self.ended = False  # charged while the site was frozen, which will see so when it wakes

    def send(self) -> None:
        """Send the request on its way."""
        self._network.carry(lambda: self._site.receive(self))

    def hang_up(self) -> None:
        """Give up the request; whatever is on its way back is not heard any more."""
        self.gone = True
        self._network.carry(lambda: self._site.hung_up(self))

    def answer(self, answer: Answer) -> None:
        """Send the site's answer on its way back."""
        self._network.carry(lambda: None if self.gone else self._on_answer(answer))


class Substation:
    """A site with a number of points."""

    def __init__(
        self,
        name: str,
        capacity: int,
        timeline: Timeline,
        on_change: Callable[[Substation], object],
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.alive = True
        self.frozen = False
        self.draining = False
        self.listed = True  # among the addresses behind its name
        self._timeline = timeline
        self._on_change = on_change
        self._charging: dict[Call, None] = {}
        self._backlog: list[Action] = []

    @property
    def load(self) -> int:
        """Vehicles that charge here."""
        return len(self._charging)

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
            call.answer(Answer.REFUSED)
        elif self.frozen:
            self._backlog.append(lambda: self.receive(call))
        elif call.gone:
            return
        elif self.draining:
            call.answer(Answer.DRAINING)
        elif self.load >= self.capacity:
            call.answer(Answer.FULL)
        else:
            self._charging[call] = None
            self._timeline.after(call.held_s, lambda: self._charged(call))
            self._on_change(self)

    def page_requested(self, reply: Callable[[Reading | None], object]) -> None:
        """Tell the gauge; None where nobody listens."""
        if self.frozen:
            self._backlog.append(lambda: self.page_requested(reply))
        elif self.alive:
            reply(Reading(self.load, self.capacity, self.draining))
        else:
            reply(None)

    def hung_up(self, call: Call) -> None:
        """See that a caller is gone: its point is free."""
        if self.frozen:
            self._backlog.append(lambda: self.hung_up(call))
        elif call in self._charging:
            self._let_go(call)

    # What befalls it

    def befall(self, what: str) -> None:
        """Let one of the things happen that a scene may plan."""
        happens: dict[str, Action] = {
            "is killed": self.kill,
            "starts": self.start,
            "freezes": self.freeze,
            "thaws": self.thaw,
            "drains": self.drain,
            "appears": self.appear,
            "vanishes": self.vanish,
        }
        happens[what]()

    def kill(self) -> None:
        """Die at once: every request that is held is reset."""
        calls = list(self._charging)
        self._charging.clear()
        self._backlog.clear()
        self.alive = self.frozen = False
        for call in calls:
            call.answer(Answer.RESET)
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
        for call in [call for call in self._charging if call.ended]:
            self._charged(call)
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

    def _charged(self, call: Call) -> None:
        if call not in self._charging:
            return
        if self.frozen:
            call.ended = True
            return
        if call.vehicle is not None:
            call.vehicle.charges += 1
        call.answer(Answer.CHARGED)
        self._let_go(call)

    def _let_go(self, call: Call) -> None:
        del self._charging[call]
        self._exit_if_done()
        self._on_change(self)

    def _exit_if_done(self) -> None:
        if self.draining and not self._charging:
            self.alive = False
