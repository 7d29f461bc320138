"""Whatever comes, goes and changes at a substation, its limit holds and its sums agree.

`make power-scenes` plays 10,000 scenes, other ones each time.
"""

from collections.abc import Sequence
from math import fsum, inf
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from substation_service.charging import Charging, Demand
from substation_service.power import Sharing
from substation_service.substation import Outcome, Substation, SubstationFull
from tests.support.examples import examples

# Of rounding, in all that is a sum of many: a share, and kWh or kW.
SHARE, DUST = 1e-9, 1e-9


class Plug(NamedTuple):
    """A vehicle comes."""

    demand: Demand


class Leave(NamedTuple):
    """One of the vehicles leaves, or is done."""

    which: int


class Amend(NamedTuple):
    """One of the vehicles is to have another energy, as a share of what its battery takes."""

    which: int
    share: float


class Limit(NamedTuple):
    """The limit becomes a share of what all points give, for good or for some hours."""

    share: float
    hours: float | None


class Scene(NamedTuple):
    """A substation, and what happens after how many hours each."""

    points: int
    point_power_kw: float
    share: float
    sharing: Sharing
    time_scale: float
    happenings: list[tuple[float, Plug | Leave | Amend | Limit]]


def demands() -> st.SearchStrategy[Demand]:
    def battery(
        fraction: float, battery_kwh: float, soc: float, max_power_kw: float | None
    ) -> Demand:
        return Demand(fraction * (1 - soc) * battery_kwh, max_power_kw, battery_kwh, soc)

    power = st.none() | st.sampled_from([11.0, 50.0, 100.0, 150.0, 250.0]) | st.floats(1, 400)
    return st.tuples(st.floats(0.001, 200), power).map(
        lambda reported: Demand(*reported)
    ) | st.builds(battery, st.floats(0.001, 1), st.floats(1, 200), st.floats(0, 0.999), power)


SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]) | st.floats(0, 1.5)
HOURS = st.sampled_from([0.0, 0.1, 0.5]) | st.floats(0, 1)
SCENES = st.builds(
    Scene,
    points=st.integers(1, 4) | st.integers(4, 12),
    point_power_kw=st.sampled_from([11.0, 50.0, 150.0, 350.0]) | st.floats(1, 400),
    share=SHARES,
    sharing=st.sampled_from(Sharing),
    time_scale=st.sampled_from([1.0, 360.0, 3600.0, 1e9]),
    happenings=st.lists(
        st.tuples(
            HOURS,
            st.builds(Plug, demands())
            | st.builds(Plug, demands())
            | st.builds(Leave, st.integers(0, 20))
            | st.builds(Amend, st.integers(0, 20), st.floats(0.001, 1))
            | st.builds(Limit, SHARES, st.none() | st.floats(0.01, 5)),
        ),
        min_size=10,
        max_size=40,
    ),
)


class Meter:
    """Watches a substation from one event to the next, and does its sums in its own way."""

    def __init__(self, scene: Scene) -> None:
        self.full_kw = scene.points * scene.point_power_kw
        self.substation = Substation(
            scene.points,
            scene.point_power_kw,
            scene.share * self.full_kw,
            scene.sharing,
            scene.time_scale,
        )
        self.hours_per_s = scene.time_scale / 3600
        self.now = 0.0
        self.plugged: list[Charging] = []
        self.kwh: dict[Charging, float] = {}
        self.ended: list[tuple[Charging, float]] = []

    def until(self, then: float) -> None:
        """Go from event to event, and look at each, and in the middle between each two."""
        for _ in range(10_000):
            event = self.substation.next_event(self.now)
            self.check()
            if event is None or event > then:
                break
            assert event > self.now or self.now + 1e-6 * self.now >= event
            self._measure(event)
        else:
            raise AssertionError("time does not get on")
        if then < inf:
            self._measure(then)
            self.check()

    def _measure(self, then: float) -> None:
        """Add what each draws in the middle of a stretch in which, as it is said, none changes."""
        if then > self.now:
            middle = self.now + (then - self.now) / 2
            for one in self.plugged:
                hours = (min(then, max(one.ends, self.now)) - self.now) * self.hours_per_s
                if self.substation.is_shared:  # else each may taper by itself, within the stretch
                    self.kwh[one] += one.power_kw(min(middle, one.ends)) * hours
                    # Two neighbouring floats have no middle: it would be one of them.
                    assert one.cap_kw(middle) == one.cap_kw(self.now) or middle == then
            before = {one: one.delivered_kwh(self.now) for one in self.plugged}
            shared = self.substation.is_shared
            self.substation.advance(then)
            for one in self.plugged:
                if not shared:
                    self.kwh[one] += one.delivered_kwh(then) - before[one]
            self.now = then

    def check(self) -> None:
        """Hold what is to what must be, at this moment."""
        substation, now = self.substation, self.now
        substation.advance(now)
        powers = [one.power_kw(now) for one in self.plugged]
        caps = [one.cap_kw(now) for one in self.plugged]
        assert substation.load == len(self.plugged) <= substation.capacity
        assert fsum(powers) == substation.power_kw <= substation.power_limit_kw
        assert all(power <= cap for power, cap in zip(powers, caps, strict=True))
        assert (
            substation.power_kw >= min(fsum(caps), substation.power_limit_kw) * (1 - SHARE) - DUST
        )
        assert fsum(caps) <= substation.committed_power_kw
        if charging := [cap for cap in caps if cap]:
            half = substation.power_limit_kw / len(charging) / 2
            for power, cap in zip(powers, caps, strict=True):
                assert power >= min(cap, half) * (1 - SHARE) - DUST
        for one in self.plugged:
            got = one.delivered_kwh(now)
            assert 0 <= got <= one.demand.kwh
            assert one.remaining_kwh(now) == one.demand.kwh - got >= 0
            assert abs(got - self.kwh[one]) <= SHARE * one.demand.kwh + DUST
            assert (got == one.demand.kwh) == (one.cap_kw(now) == 0) == (one.ends <= now)
            self._check_taper(one, got)
        left = fsum(one.remaining_kwh(now) for one in self.plugged)
        assert substation.remaining_energy_kwh(now) == left

    def _check_taper(self, one: Charging, got: float) -> None:
        demand, cap = one.demand, one.cap_kw(self.now)
        if cap == 0:
            return
        full = demand.max_power_kw or self.substation.point_power_kw
        if demand.battery_kwh is None or demand.soc is None:
            assert cap == min(full, self.substation.point_power_kw)
            return
        soc = demand.soc + got / demand.battery_kwh
        most, least = (
            min(self.substation.point_power_kw, full * min(1.0, 1 - 0.9 * (at - 0.8) / 0.2))
            for at in (soc - 0.01, soc + 0.01)
        )
        assert least * (1 - 1e-6) <= cap <= most * (1 + 1e-6)

    def happens(self, what: Plug | Leave | Amend | Limit) -> None:
        """Let something happen now."""
        match what:
            case Plug(demand):
                try:
                    one = self.substation.plug_in(demand, self.now)
                except SubstationFull as full:
                    free_in_s = full.free_in_s
                else:
                    self.plugged.append(one)
                    self.kwh[one] = free_in_s = 0.0
                assert free_in_s >= 0
            case Leave(which):
                if self.plugged:
                    self._leaves(self.plugged[which % len(self.plugged)])
            case Amend(which, share):
                if self.plugged:
                    self._amend(self.plugged[which % len(self.plugged)], share)
            case Limit(share, hours):
                until = None if hours is None else self.now + hours / self.hours_per_s
                self.substation.set_limit(share * self.full_kw, self.now, until)
        self.check()

    def _amend(self, one: Charging, share: float) -> None:
        demand, got = one.demand, one.delivered_kwh(self.now)
        most_kwh = 200.0
        if demand.battery_kwh is not None and demand.soc is not None:
            most_kwh = (1 - demand.soc) * demand.battery_kwh
        self.substation.amend(one, share * most_kwh, self.now)
        assert one.delivered_kwh(self.now) == got
        assert one.demand.kwh == max(got, share * most_kwh)

    def _leaves(self, one: Charging) -> None:
        done = one in self.substation.finished(self.now)
        got = one.delivered_kwh(self.now)
        self.plugged.remove(one)
        kwh = self.substation.unplug(one, self.now, Outcome.CHARGED if done else Outcome.ABORTED)
        assert kwh == got
        assert (kwh == one.demand.kwh) == done
        assert 0 <= one.mean_power_kw <= one.peak_power_kw <= one.max_power_kw
        self.ended.append((one, kwh))

    def drain(self) -> None:
        """Lift the limit to a tenth at least, and let all be charged and go."""
        self.substation.set_limit(max(self.substation.power_limit_kw, self.full_kw / 10), self.now)
        self.until(inf)
        assert self.substation.finished(self.now) == self.plugged
        assert self.substation.power_kw == 0
        for one in list(self.plugged):
            self._leaves(one)
        by_outcome = self.substation.energy_delivered_kwh
        total = fsum(kwh for _, kwh in self.ended)
        assert abs(fsum(by_outcome.values()) - total) <= SHARE * total
        assert self.substation.load == 0
        assert self.substation.next_event(self.now) is None


@given(scene=SCENES)
@examples(250)
def test_the_limit_holds_and_the_sums_agree_at_every_event_of_every_scene(scene: Scene) -> None:
    meter = Meter(scene)
    for hours, what in scene.happenings:
        meter.until(meter.now + hours / meter.hours_per_s)
        meter.happens(what)
    meter.drain()


def course(
    substation: Substation, demands: Sequence[Demand], looks: Sequence[float]
) -> list[float]:
    """Plug vehicles in an hour apart, look now and then, and tell when each had it all."""
    charging = []
    times = sorted(
        [*((float(hour), True) for hour in range(len(demands))), *((look, False) for look in looks)]
    )
    for now, comes in times:
        if comes:
            charging.append(substation.plug_in(demands[int(now)], now * 3600))
        else:
            substation.remaining_energy_kwh(now * 3600)
    substation.advance(1e9)
    return [one.ends for one in charging]


@given(
    demands=st.lists(demands(), min_size=1, max_size=8),
    looks=st.lists(st.floats(0, 12), max_size=10),
    sharing=st.sampled_from(Sharing),
)
@examples(100)
def test_looking_changes_nothing(
    demands: list[Demand], looks: list[float], sharing: Sharing
) -> None:
    unseen, seen = (Substation(8, 50, 60, sharing) for _ in range(2))

    for expected, found in zip(
        course(unseen, demands, []), course(seen, demands, looks), strict=True
    ):
        assert abs(found - expected) <= SHARE * expected


@given(
    demands=st.lists(demands(), min_size=2, max_size=8),
    sharing=st.sampled_from(Sharing),
)
@examples(100)
def test_one_vehicle_more_lets_no_other_be_done_earlier(
    demands: list[Demand], sharing: Sharing
) -> None:
    without, with_it = (Substation(8, 50, 60, sharing) for _ in range(2))

    fewer, more = course(without, demands[:-1], []), course(with_it, demands, [])
    for before, after in zip(fewer, more[:-1], strict=True):
        assert after >= before * (1 - SHARE)
