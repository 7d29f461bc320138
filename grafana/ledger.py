"""The ledger of sessions: panels of the balancer's dashboard."""

from grafana import colours
from grafana import panels as p
from grafana.queries import QUANTILES, Query, quantiles

_MIB = 1 << 20
# As the alert LedgerDiskNearlyFull has it.
_LITTLE_ROOM_BYTES = 512 * _MIB
_LEDGER = {"0": ("cannot be written", colours.BAD), "1": ("written", colours.GOOD)}


def panels() -> list[p.Panel]:
    """Build the panels."""
    return [
        p.stat(
            "Ledger",
            "Whether the gateways can write their ledgers. Where one cannot, new vehicles are told "
            "to come back; what charges goes on, and its end is written later.",
            Query("min(ledger_up)"),
            steps=[(None, colours.BAD), (1, colours.GOOD)],
            texts=_LEDGER,
        ),
        p.stat(
            "Rows that wait",
            "Rows that are not on the disk yet: a few at any time.",
            Query("max(ledger_waiting_rows)"),
            steps=[(None, colours.GOOD), (1000, colours.WARNING)],
        ),
        p.stat(
            "Oldest open session",
            "Time since the oldest session began that has not ended.",
            Query("max(ledger_oldest_open_session_seconds)"),
            unit="s",
            decimals=0,
        ),
        p.stat(
            "Size",
            "Room that the largest ledger takes.",
            Query("max(ledger_size_bytes)"),
            unit="bytes",
            decimals=1,
        ),
        p.stat(
            "Room left",
            "Room left on the disk of the ledger's file; unknown where it is a server's.",
            Query("min(ledger_disk_free_bytes > 0)"),
            unit="bytes",
            decimals=1,
            steps=[(None, colours.BAD), (_LITTLE_ROOM_BYTES, colours.GOOD)],
            span=8,
        ),
        p.lines(
            "Commits",
            "Commits a second. Rows that come together share one.",
            Query("sum(rate(ledger_commit_rows_count[$__rate_interval]))", "commits"),
            unit="ops",
        ),
        p.lines(
            "Rows a commit",
            "Rows that a commit wrote, on average: the busier, the more.",
            Query(
                "sum(rate(ledger_commit_rows_sum[$__rate_interval]))"
                " / sum(rate(ledger_commit_rows_count[$__rate_interval]))",
                "rows",
            ),
            no_value="Nothing was written.",
        ),
        p.lines(
            "Time to a commit",
            "Time until a row was on the disk: half, nine in ten and 99 in 100 commits at most "
            "this long. A vehicle waits for two of them.",
            *quantiles("ledger_commit_wait_seconds"),
            unit="s",
            names=QUANTILES,
            alarm=(1, colours.WARNING),
            no_value="Nothing was written.",
        ),
    ]
