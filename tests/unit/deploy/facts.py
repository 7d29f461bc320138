"""What is told of a service in docker-compose.yml, deploy/swarm and deploy/kubernetes, in one form.

Flat, from a name such as `limits.memory` to a value, so that two of them are compared line by line.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from local_stack.process import ROOT
from tests.unit.deploy.units import seconds, size_bytes, with_defaults

Facts = dict[str, Any]
Document = dict[str, Any]

COMPOSE_FILE = ROOT / "docker-compose.yml"
STACK_FILE = ROOT / "deploy" / "swarm" / "stack.yml"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
ON_DISK = "on disk"
# The folder of each of the project's own images.
FOLDERS = {
    f"ev-grid/{image}": folder
    for image, folder in {
        "gateway": "charge_request_service",
        "balancer": "load_balancer",
        "substation": "substation_service",
        "load-tester": "load_tester",
    }.items()
}
# What services read of the folders that Compose gives them whole.
_READ = re.compile(
    r"/etc/(prometheus/(prometheus|rules/\w+)\.yml|alertmanager/alertmanager\.yml"
    r"|grafana/provisioning/\w+/\w+\.yml|grafana/dashboards/[\w-]+\.json)"
)


@cache
def compose() -> Document:
    """Read docker-compose.yml, with nothing set."""
    document: Document = with_defaults(yaml.safe_load(COMPOSE_FILE.read_text()))
    return document


@cache
def stack() -> Document:
    """Read the stack of Swarm, with nothing set."""
    document: Document = with_defaults(yaml.safe_load(STACK_FILE.read_text()))
    return document


def facts_of_compose(document: Document) -> dict[str, Facts]:
    """Tell what the Compose file says of each service."""
    return {
        name: {
            **_common(service),
            "limits.cpus": float(service["cpus"]),
            "limits.memory": size_bytes(service["mem_limit"]),
            "limits.pids": service["pids_limit"],
            "no_new_privileges": service["security_opt"] == ["no-new-privileges:true"],
            **{f"ready.{key}": value for key, value in _check(service).items()},
            **files_read(dict(_bound(service))),
            **{f"writes.{path}": size for path, size in _compose_writes(service)},
        }
        for name, service in document["services"].items()
        if name != "load_tester"  # started by hand, for as long as its vehicles need
    }


def facts_of_stack(document: Document) -> dict[str, Facts]:
    """Tell what the stack of Swarm says of each service."""
    return {
        name: {
            **_common(service),
            "limits.cpus": float(service["deploy"]["resources"]["limits"]["cpus"]),
            "limits.memory": size_bytes(service["deploy"]["resources"]["limits"]["memory"]),
            "limits.pids": service["deploy"]["resources"]["limits"]["pids"],
            "no_new_privileges": service.get("entrypoint") == ["setpriv", "--no-new-privs"],
            **{f"alive.{key}": value for key, value in _check(service).items()},
            **files_read(dict(_configs(document, service))),
            **{f"writes.{path}": size for path, size in _stack_writes(service)},
        }
        for name, service in document["services"].items()
    }


def _common(service: Document) -> Facts:
    image = service["image"]
    facts: Facts = {
        "image": image,
        "command": service.get("command") or command_of(image),
        "user": service["user"],
        "read_only": service["read_only"],
        "cap_drop": service["cap_drop"],
        "init": service.get("init", False),
        "nofile": service.get("ulimits", {}).get("nofile"),
        "logging": service["logging"],
        "stops_within_s": seconds(service["stop_grace_period"]),
        "networks": sorted(service["networks"]),
        "ports": sorted(_ports(service)),
    }
    for name, value in (service.get("environment") or {}).items():
        facts[f"environment.{name}"] = str(value)
    return facts


def _ports(service: Document) -> Iterator[int]:
    for port in service.get("ports", []):
        yield port["target"] if isinstance(port, dict) else int(port.rsplit(":", 1)[1])


def command_of(image: str) -> Any:
    """Read what an image of the project's own runs; None for others."""
    folder = FOLDERS.get(image.partition(":")[0])
    return folder and yaml.safe_load(_dockerfile(folder).rsplit("CMD ", 1)[1])


@cache
def _dockerfile(folder: str) -> str:
    return (ROOT / folder / "Dockerfile").read_text()


def _check(service: Document) -> Facts:
    check = service["healthcheck"]
    kind, *command = check["test"]
    assert kind == "CMD", check
    url = urlsplit(command[-1])
    return {
        "asks": f"{url.port}{url.path}" if url.scheme else command,
        "asks_with": command[:-1] if url.scheme else None,
        "every_s": seconds(check["interval"]),
        "within_s": seconds(check["timeout"]),
        "misses": check["retries"],
        "starts_within_s": seconds(check["start_period"]),
        "starting_every_s": seconds(check["start_interval"]),
    }


def _compose_writes(service: Document) -> Iterator[tuple[str, int | str]]:
    for mount in service.get("tmpfs", []):
        path, _, options = mount.partition(":")
        (size,) = (part[5:] for part in options.split(",") if part.startswith("size="))
        assert {"noexec", "nosuid", "nodev"} <= set(options.split(",")), mount
        yield path, size_bytes(size)
    for mount in service.get("volumes", []):
        source, _, path = mount.rpartition(":")
        if not source.startswith("./") and path != "ro":
            yield path, ON_DISK


def _stack_writes(service: Document) -> Iterator[tuple[str, int | str]]:
    for mount in service.get("volumes", []):
        if mount["type"] == "tmpfs":
            yield mount["target"], mount["tmpfs"]["size"]
        else:
            assert mount["type"] == "volume", mount
            yield mount["target"], ON_DISK


def _bound(service: Document) -> Iterator[tuple[str, str]]:
    """List the files that Compose mounts, and what is in them."""
    for mount in service.get("volumes", []):
        if mount.startswith("./"):
            source, target, mode = mount.split(":")
            assert mode == "ro", mount
            folder = ROOT / source
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    yield f"{target}/{file.relative_to(folder)}", _text(file)


def _configs(document: Document, service: Document) -> Iterator[tuple[str, str]]:
    for config in service.get("configs", []):
        yield (
            config["target"],
            _text(STACK_FILE.parent / document["configs"][config["source"]]["file"]),
        )


@cache
def _text(file: Path) -> str:
    return file.read_text()


def files_read(contents: Mapping[str, str]) -> Facts:
    """Tell what a service reads of the files that it is given."""
    return {
        f"reads.{path}": scrapes(text) if path == "/etc/prometheus/prometheus.yml" else text
        for path, text in contents.items()
        if _READ.fullmatch(path)
    }


@cache
def scrapes(text: str) -> Any:
    """Read Prometheus' configuration; a job's targets are a service and a port, however found."""
    document = yaml.safe_load(text)
    for job in document["scrape_configs"]:
        for found in job.pop("static_configs", []):
            (target,) = found["targets"]
            host, _, port = target.partition(":")
            job["of"] = (host, int(port))
        for found in job.pop("dns_sd_configs", []):
            assert (found["type"], found["refresh_interval"]) == ("A", "2s")
            (host,) = found["names"]
            job["of"] = (host.removeprefix("tasks.").replace("-", "_"), found["port"])
        for found in job.get("http_sd_configs", []):
            found["url"] = found["url"].replace("load-balancer", "load_balancer")
    return document
