"""The last minutes of every substation, sampled regularly, with bounded memory and cost."""

from array import array
from collections.abc import Iterable
from itertools import chain
from math import ceil, nan

import orjson

from load_balancer.routing.substation import Substation

INTERVAL_S = 1.0
KEPT = 600  # samples: ten minutes
# Maximum number of values in a response, some 250 KB: with many substations only every second
# sample is listed, or every third, and so on.
_MAX_VALUES = 40_000
_SERIES = ("load", "power_kw", "power_limit_kw")
_NOTHING = array("f", [nan])


class History:
    """A ring buffer of samples per substation, 7 KB each."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}  # by address
        self._last: int | None = None  # number of the newest sample, counted on the clock
        self._sampled_at = 0.0
        self._kept = 0
        self._document: bytes | None = None  # of the newest sample; encoded on request

    def sample(self, substations: Iterable[Substation], now: float) -> None:
        """Take a sample; unknown values, and samples that were not taken, stay empty.

        Args:
            substations: all substations; others are forgotten.
            now: any monotonic clock, seconds.
        """
        number = int(now / INTERVAL_S)
        skipped = 0 if self._last is None else min(KEPT, number - self._last) - 1
        if skipped < 0:
            return  # this sample has been taken
        self._last, self._sampled_at, self._document = number, now, None
        self._kept = min(KEPT, self._kept + skipped + 1)
        place = number % KEPT
        missing = [(place - back) % KEPT for back in range(1, skipped + 1)]
        rings: dict[str, _Ring] = {}
        for substation in substations:
            ring = rings[substation.address] = self._rings.get(substation.address) or _Ring()
            ring.name = substation.name
            ring.write(place, substation, missing)
        self._rings = rings

    def document(self, now: float) -> bytes:
        """Return all samples, oldest first, as the JSON of `GET /history`."""
        if self._document is None:
            self._document = orjson.dumps(self._written())[1:]
        age_s = max(0.0, now - self._sampled_at) if self._kept else 0.0
        return b'{"age_s":%.3f,%b' % (age_s, self._document)

    def _written(self) -> dict[str, object]:
        step = max(1, ceil(len(self._rings) * len(_SERIES) * self._kept / _MAX_VALUES))
        oldest = ((self._last or 0) + 1) % KEPT
        return {
            "interval_s": INTERVAL_S * step,
            "substations": [
                {"name": ring.name, "address": address, **ring.read(oldest, self._kept, step)}
                for address, ring in self._rings.items()
            ],
        }


class _Ring:
    """One substation's samples. NaN, which becomes null in JSON, means unknown."""

    __slots__ = ("_series", "name")

    def __init__(self) -> None:
        self.name = ""
        self._series = [_NOTHING * KEPT for _ in _SERIES]

    def write(self, place: int, substation: Substation, missing: Iterable[int]) -> None:
        for series, value in zip(self._series, _values(substation), strict=True):
            for one in missing:
                series[one] = nan
            series[place] = value

    def read(self, oldest: int, kept: int, step: int) -> dict[str, list[float]]:
        """Return every `step`th sample up to the newest."""
        newest_first = ((series[oldest:] + series[:oldest])[::-1] for series in self._series)
        return {
            name: [round(value, 1) for value in series[:kept:step][::-1]]
            for name, series in zip(_SERIES, newest_first, strict=True)
        }


def _values(substation: Substation) -> Iterable[float]:
    reading = substation.reading
    if reading is None or not substation.health.responds:
        return (nan,) * len(_SERIES)
    power = (reading.power_kw, reading.power_limit_kw)
    return chain((substation.load,), (nan if value is None else round(value, 1) for value in power))
