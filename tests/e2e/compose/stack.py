"""The real Compose stack, with its own project name and host ports."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).parents[3]
COMPOSE_FILE = ROOT / "docker-compose.yml"
SUBSTATIONS = {"substation1": 4, "substation2": 8, "substation3": 12}
# A first build downloads the locked libraries.
_UP_TIMEOUT_S = 600
_PULL_TIMEOUT_S = 300


def docker(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a docker command to its end, whatever its exit status."""
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout_s
    )


def compose_missing() -> str | None:
    """Tell why no Compose file can be read here, or None."""
    if shutil.which("docker") is None or docker("compose", "version").returncode:
        return "Docker Compose is not installed"
    return None


def engine_missing() -> str | None:
    """Tell why no stack can be brought up here, or None."""
    return compose_missing() or (
        "no Docker engine runs" if docker("info", "--format", "{{.ID}}").returncode else None
    )


def can_be_had(image: str) -> bool:
    """Tell whether an image is here or can be pulled."""
    return not (
        docker("image", "inspect", image).returncode
        and docker("pull", image, timeout_s=_PULL_TIMEOUT_S).returncode
    )


def image_of(service: str) -> str:
    """Return the image that the Compose file pins for a service that it does not build."""
    image: str = yaml.safe_load(COMPOSE_FILE.read_text())["services"][service]["image"]
    return image


def resolved(*more: Path) -> dict[str, Any]:
    """Return the Compose file, and `more` on top of it, as Compose reads them with all profiles."""
    files = [part for file in (COMPOSE_FILE, *more) for part in ("-f", str(file))]
    done = subprocess.run(
        ["docker", "compose", *files, "--profile", "*", "config", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={name: value for name, value in os.environ.items() if not name.endswith("_PORT")},
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


class Stack:
    """One Compose project."""

    def __init__(
        self,
        project: str,
        services: Sequence[str],
        *,
        files: Sequence[Path] = (COMPOSE_FILE,),
        **environment: str,
    ) -> None:
        self.project = project
        self._files = [part for file in files for part in ("-f", str(file))]
        self.services = list(services)
        self.ports = dict(zip(("gateway", "prometheus", "grafana"), _free_ports(3), strict=True))
        self.environment = os.environ | {
            f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()
        }
        self.environment |= {"GRID_TAG": project}  # no image of the user's is built over
        self.environment |= environment

    def compose(
        self, *arguments: str, timeout_s: float = 180, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a Compose command on this project."""
        done = subprocess.run(
            ["docker", "compose", *self._files, "-p", self.project, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env=self.environment,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def up(self) -> None:
        """Build, start, and wait until every container is healthy."""
        self.compose("up", "--build", "--wait", *self.services, timeout_s=_UP_TIMEOUT_S)

    def down(self) -> None:
        """Stop everything as a user would."""
        self.compose("down", "--timeout", "20")

    def scrub(self) -> None:
        """Remove what `down` may have left, and the images that were built."""
        self.compose("--profile", "*", "down", "-v", "--remove-orphans", check=False)
        docker("image", "rm", "--force", *self.images().values())

    def remains(self) -> list[str]:
        """List what the engine still has of this project and should not: containers, networks.

        What was charged outlives the stack, in volumes.
        """
        mark = f"label=com.docker.compose.project={self.project}"
        return [
            f"{kind} {name}"
            for kind, command in {
                "container": ("ps", "-a", "--format", "{{.Names}}"),
                "network": ("network", "ls", "--format", "{{.Name}}"),
            }.items()
            for name in docker(*command, "--filter", mark).stdout.split()
        ]

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """Inspect the containers that run, of one service or of all."""
        asked = [service] if service else []
        names = self.compose("ps", "-q", *asked).stdout.split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *names).stdout) if names else []
        return found

    def images(self) -> dict[str, str]:
        """Name the images that are built, each once, by the services that do."""
        document = json.loads(self.compose("--profile", "*", "config", "--format=json").stdout)
        return {
            name: service["image"]
            for name, service in document["services"].items()
            if "build" in service
        }

    def image(self, service: str) -> str:
        """Name the image that is built for one of the project's own services."""
        return self.images()[service]

    def report(self) -> str:
        """Say how the containers stand and what they logged last."""
        standing = self.compose("ps", "-a", check=False).stdout
        return standing + self.compose("logs", "--tail", "15", "--no-color", check=False).stdout

    def url(self, service: str, path: str) -> str:
        """Return an address of a published service."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def charge(self, kwh: float = 5, **headers: str) -> requests.Response:
        """Charge one vehicle through the gateway."""
        return requests.post(
            self.url("gateway", "/charge"), json={"kwh": kwh}, headers=headers, timeout=90
        )

    def get(self, path: str) -> Any:
        """Return one of the gateway's documents."""
        answer = requests.get(self.url("gateway", path), timeout=5)
        answer.raise_for_status()
        return answer.json()

    def substations(self) -> dict[str, dict[str, Any]]:
        """Return the balancer's view of its substations, by name."""
        return {
            substation["name"]: substation for substation in self.get("/substations")["substations"]
        }

    def ask(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus' API; return its data."""
        answer = requests.get(self.url("prometheus", path), params=parameters, timeout=10)
        document = answer.json()
        assert document["status"] == "success", document
        return document["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression now, without those that are no number."""
        found = self.ask("/api/v1/query", query=expression)
        assert found["resultType"] == "vector", found["resultType"]
        return [sample for sample in found["result"] if sample["value"][1] != "NaN"]

    def data(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression, of which there has to be one."""
        samples = self.query(expression)
        assert samples, f"no data for {expression}"
        return samples


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Bring a stack up for as long as the block runs; hold `down` to leaving nothing."""
    try:
        try:
            stack.up()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{stack.report()}") from None
        yield stack
        stack.down()
        assert stack.remains() == [], "docker compose down left these behind"
    finally:
        stack.scrub()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
