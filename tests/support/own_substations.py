"""One substation of each kind in the examples of docs/your-own-substations.md."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.scrape import samples
from tests.integration.conftest import StartFieldSubstation

PAGE = Path(__file__).parents[2] / "docs" / "your-own-substations.md"
POINTS = 4
# The page of each example, by its name there. {peak} and {charged} are for the tests.
_COUNTS = "peak {peak}\ncharged {charged}\n"
_GAUGES = "substation_current_load {load}\n" + _COUNTS
_WITH_CAPACITY = f"{_GAUGES}substation_capacity {POINTS}\n"
KINDS: dict[str, dict[str, Any]] = {
    "north": {
        "page": f"ev_charging_load {{load}}\nev_charging_points {POINTS}\n{_COUNTS}",
        "metrics_path": "/stats/prometheus",
    },
    "harbour": {
        "page": f"active_sessions {{load}}\nconnectors {POINTS}\n{_COUNTS}",
        "charge_status": 202,
    },
    "market": {"page": _WITH_CAPACITY, "answers_at_start": True},
    "depot": {"page": f"depot_power_kw {{kw}}\ndepot_power_limit_kw {22 * POINTS}\n{_COUNTS}"},
    "station": {
        "page": _WITH_CAPACITY,
        "charge_path": r"/api/v1/vehicles/[A-Za-z0-9._:-]+/charge",
        "body": {"ev_id": '".+"', "power_kw": "50", "minutes": "12", "connector": '"CCS"'},
    },
    "airport": {"page": _GAUGES},
}
# Substations that respond when charging begins.
ACCEPTING = {"harbour", "market"}


def examples() -> list[str]:
    """Return the names of the page's examples."""
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def example(name: str) -> str:
    """Return the example of a substation."""
    (found,) = [one for one in examples() if name in tomllib.loads(one)["substations"]]
    return found


class OwnWays:
    """The substations, by name, and the file that describes them to the balancer."""

    def __init__(
        self,
        start_field_substation: StartFieldSubstation,
        *,
        charge_s: float,
        names: Iterable[str] = KINDS,
    ) -> None:
        self.substations: dict[str, Process] = {}
        self.file = ""
        for name in names:
            text = example(name)
            own = {"charge_s": charge_s, **KINDS[name]}
            if "metrics_port" in text:
                own["metrics_port"] = Ports.free(0).balancer
                text = re.sub(r"metrics_port = \d+", f"metrics_port = {own['metrics_port']}", text)
            self.substations[name] = start_field_substation(**own)
            self.file += re.sub(r'url = ".*"', f'url = "{self.substations[name].url}"', text)

    def figure(self, name: str, figure: str) -> float:
        """Return a figure that a substation counted itself."""
        path = KINDS[name].get("metrics_path", "/metrics")
        page = requests.get(f"{self.substations[name].url}{path}", timeout=5).text
        return samples(page)[figure]
