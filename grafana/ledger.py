"""The session ledger: panels of the balancer's dashboard."""

from grafana import colours
from grafana import panels as p
from grafana.queries import QUANTILES, Query, quantiles

_MIB = 1 << 20
# The same as in the alert LedgerDiskNearlyFull.
_LITTLE_ROOM_BYTES = 512 * _MIB
_LEDGER = {"0": ("cannot be written", colours.BAD), "1": ("written", colours.GOOD)}


def panels() -> list[p.Panel]:
    """Build the panels."""
    return [
        p.stat(
            "Ledger",
            "Whether the gateways can write their ledgers. If one cannot, it refuses new vehicles; "
            "running charges continue, and their ends are written later.",
            Query("min(ledger_up)"),
            steps=[(None, colours.BAD), (1, colours.GOOD)],
            texts=_LEDGER,
        ),
        p.stat(
            "Rows that wait",
            "Rows that are not on disk yet: usually a few.",
            Query("max(ledger_waiting_rows)"),
            steps=[(None, colours.GOOD), (1000, colours.WARNING)],
        ),
        p.stat(
            "Oldest open session",
            "Age of the oldest session that has not ended.",
            Query("max(ledger_oldest_open_session_seconds)"),
            unit="s",
            decimals=0,
        ),
        p.stat(
            "Size",
            "Size of the largest ledger.",
            Query("max(ledger_size_bytes)"),
            unit="bytes",
            decimals=1,
        ),
        p.stat(
            "Room left",
            "Free space on the disk of the ledger's file; unknown for a database server.",
            Query("min(ledger_disk_free_bytes > 0)"),
            unit="bytes",
            decimals=1,
            steps=[(None, colours.BAD), (_LITTLE_ROOM_BYTES, colours.GOOD)],
            span=8,
        ),
        p.lines(
            "Commits",
            "Commits per second. Rows that arrive together share one.",
            Query("sum(rate(ledger_commit_rows_count[$__rate_interval]))", "commits"),
            unit="ops",
        ),
        p.lines(
            "Rows per commit",
            "Mean number of rows per commit, which grows with the load.",
            Query(
                "sum(rate(ledger_commit_rows_sum[$__rate_interval]))"
                " / sum(rate(ledger_commit_rows_count[$__rate_interval]))",
                "rows",
            ),
            no_value="Nothing was written.",
        ),
        p.lines(
            "Time to a commit",
            "Time until a row was on disk: 50%, 90% and 99% of the commits took at most this long. "
            "A vehicle waits for two of them.",
            *quantiles("ledger_commit_wait_seconds"),
            unit="s",
            names=QUANTILES,
            alarm=(1, colours.WARNING),
            no_value="Nothing was written.",
        ),
    ]
