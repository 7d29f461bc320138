"""Our histograms export the same as the library's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from grid_common.histograms import DURATION_BUCKETS, Histograms


def shown(registry: CollectorRegistry) -> list[bytes]:
    return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]


TIMES = st.sampled_from([0.0, *DURATION_BUCKETS, 321.0]) | st.floats(0, 1000)


@given(times=st.lists(st.tuples(st.sampled_from(["GET", "POST"]), TIMES), max_size=30))
def test_they_count_as_the_library_counts(times: list[tuple[str, float]]) -> None:
    own, librarys = CollectorRegistry(), CollectorRegistry()
    histograms = Histograms("took_seconds", "Time", ["method", "route"], registry=own)
    histogram = Histogram(
        "took_seconds", "Time", ["method", "route"], buckets=DURATION_BUCKETS, registry=librarys
    )
    for method, seconds in times:
        histograms.labels(method, "/charge").observe(seconds)
        histogram.labels(method, "/charge").observe(seconds)

    assert shown(own) == shown(librarys)


def test_without_labels_it_is_there_from_the_start() -> None:
    own, librarys = CollectorRegistry(), CollectorRegistry()
    Histograms("took_seconds", "Time", registry=own, bounds=(0.1, 1)).labels().observe(0.5)
    Histogram("took_seconds", "Time", buckets=(0.1, 1), registry=librarys).observe(0.5)
    assert shown(own) == shown(librarys)
    empty = CollectorRegistry()
    Histograms("none_seconds", "None", registry=empty)
    assert b"none_seconds_count 0.0" in shown(empty)


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    Histograms("took_seconds", "Time", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Histograms("took_seconds", "Time", registry=registry)
