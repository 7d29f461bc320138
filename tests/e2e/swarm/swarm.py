"""The stack of deploy/swarm on a Swarm of one node, with its own names."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from local_stack.process import ROOT
from local_stack.scrape import samples
from tests.docs.commands import classes, commands
from tests.docs.terminal import Terminal
from tests.e2e.compose.stack import can_be_had, docker, engine_missing
from tests.e2e.compose.test_hardening import statuses
from tests.support.deadline import eventually

STACK_FILE = ROOT / "deploy" / "swarm" / "stack.yml"
OWN = ("charge_request_service", "load_balancer", "substation1", "substation2", "substation3")
_POSTGRES = Path(__file__).with_name("postgres")
_STAND_IN = "ev-grid-test/postgres"
_CONVERGED_WITHIN_S = 120
# Reads a page from inside of a container, whatever proxy it is told of.
_READ = (
    "import sys, urllib.request as u;"
    "print(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=5).read().decode())"
)


def swarm_missing() -> str | None:
    """Tell why no Swarm can be had here, or None."""
    if missing := engine_missing():
        return missing
    state = docker("info", "--format", "{{.Swarm.LocalNodeState}}").stdout.strip()
    return None if state == "inactive" else f"this engine is in a Swarm already ({state})"


class Swarm:
    """One stack, and the Swarm that it runs on.

    Attributes:
        name: the stack's.
        key: an API key of its gateways.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is started.

        Args:
            folder: for its files.
        """
        self.name = f"ev-grid-swarm-{os.getpid()}"
        self.key = ""
        self._folder = folder
        self._key_file = folder / "key"
        override = folder / "override.yml"
        override.write_text(yaml.safe_dump({"services": _stand_ins()}))
        self._terminal = Terminal(
            ROOT,
            {
                "GRID_TAG": self.name,
                "GATEWAY_PORT": "0",  # several gateways on the one node that there is
                "API_KEYS": f"{self.name}-api_keys",
                "LEDGER_PASSWORD": f"{self.name}-ledger_password",
            },
        )
        self._terminal.words = {
            "ev-grid/gateway:0.1.0": f"ev-grid/gateway:{self.name}",
            "ev-grid/load-tester:0.1.0": f"ev-grid/load-tester:{self.name}",
            "create api_keys": f"create {self.name}-api_keys",
            "create ledger_password": f"create {self.name}-ledger_password",
            "deploy/swarm/stack.yml": f"deploy/swarm/stack.yml --compose-file {override}",
            "--resolve-image never ev-grid": f"--resolve-image never --detach=true {self.name}",
            "ev-grid_": f"{self.name}_",
            "stack services ev-grid": f"stack services {self.name}",
            "stack ps ev-grid": f"stack ps {self.name}",
            "$PWD/load_tester_key.txt": str(self._key_file),
        }

    def types(self, text: str) -> str:
        """Type a command of docs/scaling.md, with the names that are here."""
        (command, *_) = (one for one in commands() if one.text == text)
        return self._terminal.run(command, timeout_s=300)

    def printed(self) -> Sequence[str]:
        """List the commands that docs/scaling.md prints for it."""
        return classes().swarm

    def start(self) -> None:
        """Type the lines that start it, and wait until every task is healthy."""
        for text in classes().swarm_start:
            said = self.types(text)
            if "evgrid_" in said:
                (self.key,) = (word for word in said.split() if word.startswith("evgrid_"))
                self._key_file.write_text(self.key)
                self._key_file.chmod(0o444)
        self.wait_until_converged()
        eventually(self.expect_all_up, 30, every_s=0.2)

    def remove(self) -> None:
        """Leave nothing of it, and no Swarm."""
        docker("stack", "rm", self.name)
        mark = ("--filter", f"label=com.docker.stack.namespace={self.name}")

        def gone() -> None:
            assert docker("ps", "--all", "--quiet", *mark).stdout == ""

        for container in docker("ps", "--quiet", *mark).stdout.split():
            docker("kill", container)
        eventually(gone, 60, every_s=0.2)
        docker("swarm", "leave", "--force")
        volumes = docker("volume", "ls", "--quiet", "--filter", f"name={self.name}_").stdout.split()
        images = docker("image", "ls", "--quiet", f"ev-grid/*:{self.name}").stdout.split()
        docker("volume", "rm", "--force", *volumes)
        docker("image", "rm", "--force", *images)

    def scale(self, **replicas: int) -> None:
        """Have other numbers of tasks; returns at once."""
        counts = [f"{self.name}_{service}={count}" for service, count in replicas.items()]
        _run("service", "scale", "--detach", *counts)

    def roll(self, *services: str) -> None:
        """Replace every task of some services, as an update does; returns at once."""
        for service in services:
            _run("service", "update", "--detach", "--force", f"{self.name}_{service}")

    def wait_until_converged(self, within_s: float = _CONVERGED_WITHIN_S) -> None:
        """Wait until as many tasks are healthy as there should be, and no update is under way."""
        eventually(self._expect_converged, within_s, every_s=0.3)

    def _expect_converged(self) -> None:
        services = self.services()
        for service in services:
            name, wanted = (
                service["Spec"]["Name"],
                service["Spec"]["Mode"]["Replicated"]["Replicas"],
            )
            running = service["ServiceStatus"]["RunningTasks"]
            assert running == wanted, f"{name}: {running} of {wanted}"
            state = service.get("UpdateStatus", {}).get("State", "completed")
            assert state == "completed", f"{name}: {state}"
            here = len(self.containers(name.removeprefix(f"{self.name}_")))
            assert here == wanted, f"{name}: {here} containers for {wanted} tasks"

    def services(self) -> list[dict[str, Any]]:
        """Inspect all services, with how many tasks run."""
        names = _run("stack", "services", "--format", "{{.Name}} {{.Replicas}}", self.name)
        replicas = dict(line.split()[:2] for line in names.splitlines())
        found: list[dict[str, Any]] = json.loads(_run("service", "inspect", *replicas))
        for service in found:
            running = replicas[service["Spec"]["Name"]].partition("/")[0]
            service["ServiceStatus"] = {"RunningTasks": int(running)}
        return found

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Inspect the containers of a service that run."""
        mark = f"label=com.docker.swarm.service.name={self.name}_{service}"
        names = _run("ps", "--quiet", "--filter", mark).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *names).stdout) if names else []
        return found

    def kill(self, service: str) -> None:
        """End a task as a crash does."""
        _run("kill", self.containers(service)[0]["Id"])

    def addresses(self) -> list[str]:
        """List the addresses of the gateways on this machine."""
        return [
            f"http://127.0.0.1:{address['HostPort']}"
            for one in self.containers("charge_request_service")
            for published in one["NetworkSettings"]["Ports"].values()
            for address in published or ()
            if address["HostIp"] == "0.0.0.0"  # noqa: S104 - what Swarm does
        ]

    def get(self, path: str) -> Any:
        """Return one of the gateways' documents."""
        answer = requests.get(
            f"{self.addresses()[0]}{path}",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=5,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def charge(self, *, key: str, gateway: str | None = None) -> requests.Response:
        """Charge one vehicle through a gateway."""
        return requests.post(
            f"{gateway or self.addresses()[0]}/charge",
            json={"kwh": 1},
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=60,
        )

    def exec(self, service: str, *command: str) -> str:
        """Run a command in a task of a service."""
        return _run("exec", self.containers(service)[0]["Id"], *command)

    def facts_of_process(self, service: str) -> dict[str, str]:
        """Read /proc/PID/status of a service's own process."""
        shown = self.exec(service, "sh", "-c", "cat /proc/[0-9]*/status")
        (own,) = (
            facts for facts in statuses(shown) if facts["PPid"] == ["1"]
        )  # docker-init's child
        return {name: " ".join(values) for name, values in own.items()}

    def targets(self) -> dict[str, int]:
        """Tell how many targets of each job Prometheus scrapes well."""
        page = self.exec(
            "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/targets"
        )
        found: dict[str, int] = {}
        for target in json.loads(page)["data"]["activeTargets"]:
            assert target["health"] == "up", target
            job = target["labels"]["job"]
            found[job] = found.get(job, 0) + 1
        return found

    def expect_all_up(self) -> None:
        """Assert that the balancers see every substation that should be there."""
        wanted = sum(len(self.containers(f"substation{number}")) for number in (1, 2, 3))
        substations = self.get("/substations")["substations"]
        up = [substation["name"] for substation in substations if substation["health"] == "up"]
        assert len(up) == wanted, substations

    def counters(self, service: str, port: int) -> list[dict[str, float]]:
        """Read the metrics of each task of a service, from inside."""
        return [
            samples(
                _run("exec", one["Id"], "python", "-c", _READ, f"http://127.0.0.1:{port}/metrics")
            )
            for one in self.containers(service)
        ]

    def report(self) -> str:
        """Say how the tasks stand and what they logged last."""
        reported = docker("stack", "ps", "--no-trunc", self.name).stdout
        mark = f"label=com.docker.stack.namespace={self.name}"
        for name in _run("ps", "--all", "--format", "{{.Names}}", "--filter", mark).split():
            logs = docker("logs", "--tail", "15", name)
            reported += f"{name}:\n{logs.stdout}{logs.stderr}"
        return reported


@contextmanager
def running(folder: Path) -> Iterator[Swarm]:
    """Have a Swarm with the stack on it for as long as the block runs."""
    swarm = Swarm(folder)
    try:
        try:
            swarm.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{swarm.report()}") from None
        yield swarm
    finally:
        swarm.remove()


class Vehicles:
    """Some hundred vehicles that the load tester sends from inside of the grid's network."""

    def __init__(self, swarm: Swarm, count: int, rate: float, *more: str) -> None:
        self._count = count
        self._process = subprocess.Popen(
            [
                *("docker", "run", "--rm", "--network", f"{swarm.name}_grid"),
                *("--volume", f"{swarm._key_file}:/run/key:ro"),
                f"ev-grid/load-tester:{swarm.name}",
                "--url=http://charge_request_service:8080",
                *("--api-key-file=/run/key", "--idempotent", "--json=-", "--timeout=120"),
                *(f"--vehicles={count}", f"--rate={rate}", "--no-decisions", "--kwh=5", *more),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def have_charged(self) -> dict[str, Any]:
        """Wait for the end, and hold it to every vehicle having been charged, once."""
        out, err = self._process.communicate(timeout=240)
        assert out, err
        report: dict[str, Any] = json.loads(out)
        assert report["vehicles"]["charged"] == self._count, (report["answers"], report["reasons"])
        return report


def _stand_ins() -> dict[str, Any]:
    """Say what to run in the place of images that cannot be had."""
    services = yaml.safe_load(STACK_FILE.read_text())["services"]
    here: dict[str, Any] = {}
    if not can_be_had(services["ledger"]["image"]):
        _run("build", "--quiet", "--tag", _STAND_IN, str(_POSTGRES), timeout_s=300)
        here["ledger"] = {"image": _STAND_IN}
    for name in ("grafana", "prometheus"):
        if not can_be_had(services[name]["image"]):
            here[name] = {"deploy": {"replicas": 0}}
    return here


def _run(*arguments: str, timeout_s: float = 120) -> str:
    done = docker(*arguments, timeout_s=timeout_s)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout
