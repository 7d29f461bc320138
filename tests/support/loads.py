"""How many vehicles charge, by the substations' own gauges."""

from local_stack.process import Process
from local_stack.scrape import scrape
from tests.support.deadline import PATIENCE_S, eventually


def load_of(*substations: Process) -> int:
    """Return how many vehicles charge at these substations together."""
    return int(sum(scrape(one.url)["substation_current_load"] for one in substations))


def wait_for_load(count: int, *substations: Process, within_s: float = PATIENCE_S) -> None:
    """Wait until so many vehicles charge at these substations together."""

    def check() -> None:
        load = load_of(*substations)
        assert load == count, f"{load} charge"

    eventually(check, within_s)
