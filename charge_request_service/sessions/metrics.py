"""The metrics of the ledger."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# A commit takes a fraction of a millisecond on a good disk, and seconds on an overloaded one.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_JOBS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class LedgerMetrics:
    """The ledger metrics of one gateway."""

    def __init__(
        self, registry: CollectorRegistry, *, waiting: Callable[[], float], up: Callable[[], float]
    ) -> None:
        self._jobs = Histogram(
            "ledger_commit_rows", "Rows written by a commit", buckets=_JOBS, registry=registry
        )
        self._wait = Histogram(
            "ledger_commit_wait_seconds",
            "Time from the submission of a commit's first row to the commit",
            buckets=_SECONDS,
            registry=registry,
        )
        self.removed = Counter(
            "ledger_sessions_removed",
            "Sessions removed because LEDGER_RETENTION was over",
            registry=registry,
        )
        self.size_bytes = Gauge("ledger_size_bytes", "Size of the ledger, bytes", registry=registry)
        self.free_bytes = Gauge(
            "ledger_disk_free_bytes",
            "Free space on the disk of the ledger's file, bytes; NaN if it is not a file",
            registry=registry,
        )
        self.oldest_open_s = Gauge(
            "ledger_oldest_open_session_seconds",
            "Age of the oldest session that has not ended; 0 if there is none",
            registry=registry,
        )
        Gauge("ledger_waiting_rows", "Rows waiting to be written", registry=registry).set_function(
            waiting
        )
        Gauge("ledger_up", "1 while the ledger can be written", registry=registry).set_function(up)

    def committed(self, jobs: int, waited_s: float) -> None:
        """Count a commit."""
        self._jobs.observe(jobs)
        self._wait.observe(waited_s)
