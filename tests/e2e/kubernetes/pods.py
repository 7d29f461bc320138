"""The pods of deploy/kubernetes, run by podman: it reads the same manifests without a cluster."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from local_stack.process import ROOT
from tests.e2e.compose.stack import docker, engine_missing
from tests.support.deadline import eventually
from tests.unit.deploy.facts import VERSION
from tests.unit.deploy.kubernetes import rendered, workloads
from tests.unit.deploy.parity import OWN

_IMAGES = ("gateway", "balancer", "substation")
# It asks for more open files and processes than a machine may allow, and for cgroups of systemd.
_CONFIGURATION = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8000:8000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def podman_missing() -> str | None:
    """Tell why no pod can be played here, or None."""
    for program in ("podman", "kubectl", "runc"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return engine_missing()  # builds the images


class Pods:
    """The pods of the base, each on its own, on a network where names are found.

    Attributes:
        url: where the gateway is.
        key: an API key of its.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is started.

        Args:
            folder: for its files.
        """
        self._name = f"ev-grid-pods-{os.getpid()}"
        self._secret = f"{self._name}-api-keys"  # podman keeps a volume of that name, too
        self._folder = folder
        self._manifests = folder / "pods.yaml"
        configuration = folder / "containers.conf"
        configuration.write_text(_CONFIGURATION)
        self._environment = os.environ | {
            "CONTAINERS_CONF": str(configuration),
            "GRID_TAG": self._name,
        }
        self._ports = {name: _free_port() for name in OWN}
        self.url = f"http://127.0.0.1:{self._ports['charge_request_service']}"
        self.key = ""

    def start(self) -> None:
        """Build, hand the images over, play the pods, and wait until the gateway is ready."""
        self._run("docker", "compose", "--project-directory", str(ROOT), "build", "--quiet")
        archive = str(self._folder / "images.tar")
        self._run("docker", "save", "-o", archive, *self._images())
        self._run("podman", "load", "--quiet", "--input", archive)
        self._run("podman", "network", "create", self._name)
        self._make_key()
        self._manifests.write_text(yaml.safe_dump_all(self._pods()))
        self._run("podman", "kube", "play", "--network", self._name, str(self._manifests))
        eventually(self._expect_ready, 240, every_s=0.5)

    def remove(self) -> None:
        """Leave nothing of it."""
        for command in (
            ("kube", "down", str(self._manifests)),
            ("volume", "rm", "--force", *self._claims(), self._secret),
            ("secret", "rm", self._secret),
            ("network", "rm", "--force", self._name),
            ("rmi", "--force", *(f"localhost/{image}" for image in self._images())),
        ):
            self._run("podman", *command, check=False)
        docker("image", "rm", "--force", *self._images(), f"ev-grid/load-tester:{self._name}")

    def charge(self) -> requests.Response:
        """Charge one vehicle."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.post(f"{self.url}/charge", json={"kwh": 2}, headers=headers, timeout=60)

    def substations(self) -> dict[str, str]:
        """Return the health of each substation."""
        headers = {"Authorization": f"Bearer {self.key}"}
        view = requests.get(f"{self.url}/substations", headers=headers, timeout=5).json()
        return {substation["name"]: substation["health"] for substation in view["substations"]}

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a service's container; return what it prints, errors too."""
        container = f"{service.replace('_', '-')}-service"
        return self._run("podman", "exec", container, *command, check=check)

    def report(self) -> str:
        """Say how the containers stand and what they logged last."""
        reported = self._run("podman", "ps", "--all", check=False)
        for service in OWN:
            container = f"{service.replace('_', '-')}-service"
            reported += self._run("podman", "logs", "--tail", "10", container, check=False)
        return reported

    def _expect_ready(self) -> None:
        answer = requests.get(f"{self.url}/readyz", timeout=2)
        assert answer.status_code == 200, answer.text
        assert self.substations() == dict.fromkeys(OWN[2:], "up")

    def _images(self) -> list[str]:
        return [f"ev-grid/{image}:{self._name}" for image in _IMAGES]

    def _claims(self) -> list[str]:
        return [
            one["metadata"]["name"]
            for one in self._pods()
            if one["kind"] == "PersistentVolumeClaim"
        ]

    def _make_key(self) -> None:
        made = docker(
            "run", "--rm", self._images()[0], *["python", "-m", "charge_request_service.keys", "x"]
        )
        (self.key,) = (word for word in made.stderr.split() if word.startswith("evgrid_"))
        secret = self._folder / "secret.yaml"
        # podman keeps a Secret as the text of its manifest, and takes `data` as it stands there.
        named = {"name": "api-keys"}
        secret.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": named,
                    "data": {"api_keys": made.stdout},
                }
            )
        )
        self._run("podman", "secret", "create", self._secret, str(secret))

    def _pods(self) -> list[dict[str, Any]]:
        """Turn what runs pods into pods, with the claims that they have: podman knows no set."""
        found: list[dict[str, Any]] = []
        for name in OWN:
            workload = yaml.safe_load(
                yaml.safe_dump(workloads(rendered("base"))[name])
                .replace(f":{VERSION}", f":{self._name}")
                .replace("secretName: api-keys", f"secretName: {self._secret}")
            )
            template, spec = workload["spec"]["template"], workload["spec"]["template"]["spec"]
            claims = [
                one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])
            ]
            volumes = spec.setdefault("volumes", [])
            for claim in claims:
                volumes.append({"name": claim, "persistentVolumeClaim": {"claimName": claim}})
            for volume in volumes:
                if "persistentVolumeClaim" in volume:
                    kept = f"{self._name}-{name}-{volume['name']}"
                    volume["persistentVolumeClaim"]["claimName"] = kept
                    found.append(
                        {
                            "apiVersion": "v1",
                            "kind": "PersistentVolumeClaim",
                            "metadata": {"name": kept},
                            "spec": {"accessModes": ["ReadWriteOnce"]},
                        }
                    )
            (container,) = spec["containers"]
            # It publishes each port of a container; and asks by curl, which the images lack.
            container["ports"][0] |= {"hostPort": self._ports[name], "hostIP": "127.0.0.1"}
            del container["livenessProbe"]
            metadata = {"name": name.replace("_", "-"), "labels": template["metadata"]["labels"]}
            found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return found

    def _run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=self._environment,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(folder: Path) -> Iterator[Pods]:
    """Have the pods for as long as the block runs."""
    pods = Pods(folder)
    try:
        try:
            pods.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{pods.report()}") from None
        yield pods
    finally:
        pods.remove()
