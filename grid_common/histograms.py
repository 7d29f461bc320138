"""Histograms for a single-threaded process: of durations, and of other values.

The library's own histograms take a lock for each bucket. Prometheus reads the same from these, and
observing takes a fifth of the time (docs/performance.md).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

# Charges take seconds to minutes, everything else milliseconds: the buckets cover both.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Histogram:
    """The values of one label set: seconds, unless the metric says otherwise."""

    __slots__ = ("_bounds", "_counts", "_names", "_sum")

    def __init__(self, bounds: Sequence[float], names: Sequence[str]) -> None:
        self._bounds = bounds
        self._names = names
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value; a bucket includes its bound."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def show(self) -> tuple[list[tuple[str, float]], float]:
        """Return the cumulative count at each bound, and the sum."""
        counts = [float(count) for count in accumulate(self._counts)]
        return list(zip(self._names, counts, strict=True)), self._sum


class Histograms(Collector):
    """A histogram with labels."""

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        registry: CollectorRegistry,
        bounds: Sequence[float] = DURATION_BUCKETS,
    ) -> None:
        """Create an empty histogram.

        The upper bounds of its buckets are ascending, at most 100,000, no finer than 0.001, without
        infinity.
        """
        self._name, self._help, self._label_names = name, help_text, labels
        self._bounds = bounds
        self._names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        self._by_labels: dict[tuple[str, ...], Histogram] = {}
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: str) -> Histogram:
        """Return the histogram of one label set."""
        found = self._by_labels.get(values)
        if found is None:
            found = self._by_labels[values] = Histogram(self._bounds, self._names)
        return found

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield the name, so that no other metric takes it."""
        yield HistogramMetricFamily(self._name, self._help)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the counts."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._label_names)
        for values, histogram in self._by_labels.items():
            family.add_metric(values, *histogram.show())
        yield family
