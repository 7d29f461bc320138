"""The grid as containers, to be struck like the processes."""

import itertools
import json
import time
from collections.abc import Mapping

from local_stack.scrape import samples
from local_stack.session_logs import Attempt, attempts
from tests.e2e.compose.stack import SUBSTATIONS, Stack, docker
from tests.support.deadline import eventually

_SERVICES = {"balancer": "load_balancer", "gateway": "charge_request_service"}
_PAGES = {
    "balancer": "http://load_balancer:5001/metrics",
    "gateway": "http://charge_request_service:8080/metrics",
    **{substation: f"http://{substation}:5002/metrics" for substation in SUBSTATIONS},
}
# Reads all pages from inside the grid's network, where alone they can be reached.
_READ = (
    "import json, sys, urllib.request as u;"
    "get = u.build_opener(u.ProxyHandler({})).open;"  # whatever proxy the container is told
    "print(json.dumps({name: get(url, timeout=5).read().decode()"
    " for name, url in json.loads(sys.argv[1]).items()}))"
)
_LONGER_THAN_A_DRAIN_S = 120


class Container:
    """The one container of a service; a `Part` for `inject`."""

    def __init__(self, stack: Stack, service: str) -> None:
        self.name = f"{stack.project}-{service}-1"
        self._network = f"{stack.project}_grid"

    def start(self) -> None:
        run("start", self.name)

    def kill(self) -> None:
        run("kill", self.name)

    def freeze(self) -> None:
        run("pause", self.name)

    def thaw(self) -> None:
        run("unpause", self.name)

    def restart(self) -> None:
        run("restart", self.name)

    def limit_memory(self, megabytes: int) -> None:
        """Set the memory that it may use, swap included."""
        limit = f"{megabytes}m"
        run("update", "--memory", limit, "--memory-swap", limit, self.name)

    def limit_memory_to_what_it_uses(self) -> None:
        """Set the least limit that the kernel takes now."""
        used = run("stats", "--no-stream", "--format", "{{.MemUsage}}", self.name)
        megabytes = itertools.count(int(float(used.partition("MiB")[0])) + 1)
        eventually(lambda: self.limit_memory(next(megabytes)), every_s=0)

    def disconnect(self, hold_s: float) -> None:
        """Take it off the grid's network for a while."""
        service = self.name.removeprefix(self._network.removesuffix("grid")[:-1] + "-")[:-2]
        run("network", "disconnect", self._network, self.name)
        try:
            time.sleep(hold_s)
        finally:
            run("network", "connect", "--alias", service, self._network, self.name)


class Containers:
    """The grid on Compose; a `World` for a scene."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.url("gateway", "")
        self.substations = list(SUBSTATIONS)

    def part(self, name: str) -> Container:
        """Return a part by its name: gateway, balancer, a substation's or another service's."""
        return Container(self.stack, _SERVICES.get(name, name))

    def attempts(self, substation: str) -> list[Attempt]:
        """Read the sessions that a substation has logged, over all of its restarts."""
        return attempts(docker("logs", self.part(substation).name).stdout)

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        """Read every part's metrics, by the part's name."""
        reader = self.part("gateway").name
        pages: dict[str, str] = json.loads(
            run("exec", reader, "python", "-c", _READ, json.dumps(_PAGES))
        )
        return {name: samples(page) for name, page in pages.items()}


def run(*arguments: str) -> str:
    """Run a docker command that has to succeed; return what it prints."""
    done = docker(*arguments, timeout_s=_LONGER_THAN_A_DRAIN_S)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout
