"""This balancer, with its default policy and with the simplest one."""

import json
from importlib.metadata import version

from benchmarks.comparison.contenders.contender import Contender, Place
from local_stack.process import Process, service


class Ours(Contender):
    """The load balancer of this repository, with the given substations and optionally a policy."""

    def __init__(self, key: str, name: str, policy: str | None = None) -> None:
        self.key = key
        self.name = name
        self._policy = {"ROUTING_POLICY": policy} if policy else {}

    def version(self) -> str:
        """Return the versions of its main dependencies."""
        return f"this repository, gevent {version('gevent')}, gunicorn {version('gunicorn')}"

    def process(self, place: Place) -> Process:
        """Configure it as `make run` does."""
        substations = ",".join(
            f"{substation.name}=http://{substation.address}" for substation in place.substations
        )
        return service(
            self.key,
            "load_balancer",
            env={"SUBSTATIONS": substations, **self._policy},
            port=place.port,
            log=place.folder / f"{self.key}.log",
        )

    def not_ready(self, process: Process, place: Place) -> str | None:
        """Wait until it sees every substation, not just one."""
        if unready := process.answers("/readyz"):
            return unready
        try:
            substations = json.loads(process.get("/substations"))["substations"]
        except OSError as error:
            return str(error)
        up = sum(substation["health"] == "up" for substation in substations)
        if up < len(place.substations):
            return f"it sees {up} of {len(place.substations)} substations"
        return None


OURS = Ours("ours", "this balancer")
ROUND_ROBIN = Ours("round-robin", "this balancer, round-robin", "round-robin")
