"""The table of what was tried, in docs/hostile-input.md: a run with `--write-table` writes it.

An ordinary run holds each answer to it; times and memory differ from run to run.
"""

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "hostile-input.md"
_BEGIN, _END = "<!-- written by make hostile -->\n", "<!-- end -->\n"


class Table:
    """What was tried in this run."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes
        self._answers: dict[str, dict[str, str]] = {}
        self._slowest_s: dict[str, float] = {}
        self._totals: list[str] = []
        self._page = PAGE.read_text()

    def row(self, attack: str, service: str, answer: str, took_s: float) -> None:
        """Note an answer; where the page is not to be written, it has to say the same."""
        answers = self._answers.setdefault(attack, {})
        answers[service] = answer
        self._slowest_s[attack] = max(took_s, self._slowest_s.get(attack, 0.0))
        if not self._writes:
            rows = [line for line in self._page.splitlines() if line.startswith(f"| {attack} |")]
            said = [part.strip() for part in rows[0].split("|")] if rows else []
            assert answer in said, (
                f"{PAGE.name} does not say that {attack!r} gets {answer!r}; if it should: "
                "make hostile ARGS='--write-table -n 0'"
            )

    def total(self, service: str, attacks: int, grown_mb: float, vehicles: int) -> None:
        """Note what attacks on a service took in all, and what went on beside them."""
        self._totals.append(
            f"| {service} | {attacks} | {grown_mb:.0f} MB | {vehicles} of {vehicles} |"
        )

    def finish(self) -> None:
        """Write the page."""
        if not self._writes:
            return
        columns = ("gateway", "balancer", "substation")
        lines = ["| attack | gateway | balancer | substation | longest |", "| --- " * 5 + "|"]
        for attack, answers in self._answers.items():
            told = " | ".join(answers.get(service, "-") for service in columns)
            lines.append(f"| {attack} | {told} | {self._slowest_s[attack]:.2f} s |")
        lines += ["", "| attacked | attacks | memory, at its peak | vehicles charged beside them |"]
        lines += ["| --- " * 4 + "|", *self._totals]
        before, _, rest = self._page.partition(_BEGIN)
        after = rest.partition(_END)[2]
        PAGE.write_text(before + _BEGIN + "\n" + "\n".join(lines) + "\n\n" + _END + after)
