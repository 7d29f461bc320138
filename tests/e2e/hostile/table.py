"""The tables of what was tried, in docs/hostile-input.md: a run with `--write-table` writes it.

An ordinary run holds each answer to it; times and memory differ from run to run.
"""

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "hostile-input.md"
_BEGIN, _END = "<!-- written by make hostile -->\n", "<!-- end -->\n"
_BEGIN_COSTS = "<!-- costs, written by make hostile -->\n"


class Table:
    """What was tried in this run."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes
        self._answers: dict[str, dict[str, str]] = {}
        self._slowest_s: dict[str, float] = {}
        self._totals: list[str] = []
        self._costs: list[str] = []
        self._page = PAGE.read_text()

    def row(self, attack: str, service: str, answer: str, took_s: float) -> None:
        """Note an answer; where the page is not to be written, it has to say the same."""
        answers = self._answers.setdefault(attack, {})
        answers[service] = answer
        self._slowest_s[attack] = max(took_s, self._slowest_s.get(attack, 0.0))
        self._check(self._page.partition(_BEGIN)[2], attack, answer)

    def total(self, service: str, attacks: int, grown_mb: float, vehicles: int) -> None:
        """Note what attacks on a service took in all, and what went on beside them."""
        self._totals.append(
            f"| {service} | {attacks} | {grown_mb:.0f} MB | {vehicles} of {vehicles} |"
        )

    def cost(self, request: str, status: int, cpu_ms: float) -> None:
        """Note what a request costs a gateway that does not let its caller in."""
        self._costs.append(f"| {request} | {status} | {cpu_ms:.2f} |")
        self._check(self._page.partition(_BEGIN_COSTS)[2].partition(_END)[0], request, str(status))

    def _check(self, part: str, name: str, answer: str) -> None:
        """Where the page is not to be written, it has to say the same."""
        if self._writes:
            return
        rows = [line for line in part.splitlines() if line.startswith(f"| {name} |")]
        said = [cell.strip() for cell in rows[0].split("|")] if rows else []
        assert answer in said, (
            f"{PAGE.name} does not say that {name!r} gets {answer!r}; if it should: "
            "make hostile ARGS='--write-table -n 0'"
        )

    def finish(self) -> None:
        """Write the page."""
        if not self._writes:
            return
        page = self._page
        if self._answers:
            page = _replaced(page, _BEGIN, self._rows())
        if self._costs:
            page = _replaced(page, _BEGIN_COSTS, self._cost_rows())
        PAGE.write_text(page)

    def _rows(self) -> list[str]:
        columns = ("gateway", "balancer", "substation")
        lines = ["| attack | gateway | balancer | substation | longest |", "| --- " * 5 + "|"]
        for attack, answers in self._answers.items():
            reported = " | ".join(answers.get(service, "-") for service in columns)
            lines.append(f"| {attack} | {reported} | {self._slowest_s[attack]:.2f} s |")
        lines += ["", "| attacked | attacks | peak memory | vehicles charged meanwhile |"]
        return [*lines, "| --- " * 4 + "|", *self._totals]

    def _cost_rows(self) -> list[str]:
        return ["| sent | status | CPU of the gateway, ms |", "| --- " * 3 + "|", *self._costs]


def _replaced(page: str, begin: str, lines: list[str]) -> str:
    before, _, rest = page.partition(begin)
    after = rest.partition(_END)[2]
    return before + begin + "\n" + "\n".join(lines) + "\n\n" + _END + after
