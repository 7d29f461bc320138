"""The report of a run on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from load_tester.report.tables import ReportTable, Severity, all_tables, breaking_text
from load_tester.result import Result
from load_tester.standard_streams import TolerantStream

_LOG_WIDTH = 120
_STYLES = {
    Severity.PLAIN: "",
    Severity.GOOD: "green",
    Severity.DOUBT: "yellow",
    Severity.BAD: "bold red",
}


def report_console(stream: TolerantStream) -> Console:
    """Create the report's console: as wide as the terminal, and wide enough in a log."""
    console = Console(file=stream.file, highlight=False)
    if console.is_terminal:
        return console
    return Console(file=stream.file, highlight=False, width=_LOG_WIDTH)


def print_result(console: Console, result: Result) -> None:
    """Print a run's tables, and then its verdict, so that it is seen first."""
    for report_table in all_tables(result):
        console.print()
        console.print(_table(report_table))
    recording, cost = result.recording, result.recording.cost
    lag = f", sent at most {cost.lag.max * 1000:.0f} ms late" if cost.lag else ""
    spent = 1000 * cost.cpu_s / max(1, len(recording.charges))
    console.print()
    console.print(
        f"{len(recording.charges):,} vehicles in {result.end:.1f} s, {result.rate:.1f} done a "
        f"second; the tester took {spent:.2f} ms of CPU a vehicle{lag}"
    )
    if recording.breaking is not None:
        console.print(Text(breaking_text(result)))
    for line in result.missed:
        console.print(Text(f"missed: {line}", "bold red"))
    if not recording.reconciliation.in_order:
        console.print(Text("the grid's counters do not add up, see above", "bold red"))
    good = result.passed and not recording.interrupted
    console.print(Text(result.verdict, "bold green" if good else "bold red"))


def _table(report_table: ReportTable) -> Table:
    table = Table(
        title=report_table.title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
    )
    for column in report_table.columns:
        number = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if number else "left",
            no_wrap=number,
        )
    for row in report_table.rows:
        table.add_row(*[escape(cell) for cell in row.cells], style=_STYLES[row.severity])
    return table
