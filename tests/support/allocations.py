"""What Python allocates, as tracemalloc counts it."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


class Allocations:
    """Memory allocated since tracing began, in bytes."""

    @property
    def held(self) -> int:
        """Bytes that are not freed yet."""
        return tracemalloc.get_traced_memory()[0]

    @property
    def peak(self) -> int:
        """The most bytes held at one time."""
        return tracemalloc.get_traced_memory()[1]


@contextmanager
def traced_allocations() -> Iterator[Allocations]:
    """Trace what is allocated in the block."""
    tracemalloc.start()
    try:
        yield Allocations()
    finally:
        tracemalloc.stop()
