"""What deploy/kubernetes says of each service, in the form of `facts`."""

import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import yaml

from local_stack.process import ROOT
from tests.support.commands import run
from tests.unit.deploy.facts import ON_DISK, Document, Facts, command_of, compose, files_read
from tests.unit.deploy.units import size_bytes, underscored

FOLDER = ROOT / "deploy" / "kubernetes"
_NETWORK = "network.ev-grid/"
_SERVICES = [name for name in compose()["services"] if "_" in name]

needs_kustomize = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed"
)


@cache
def rendered(overlay: str) -> Sequence[Document]:
    """Return what `kubectl apply -k` would send to a cluster."""
    done = run("kubectl", "kustomize", FOLDER / overlay)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(documents: Sequence[Document], *kinds: str) -> Iterator[Document]:
    """Yield the objects of some kinds."""
    return (one for one in documents if one["kind"] in kinds)


def workloads(documents: Sequence[Document]) -> dict[str, Document]:
    """Return what runs pods, by the name that Compose has for it."""
    return {
        one["metadata"]["name"].replace("-", "_"): one
        for one in of_kind(documents, "Deployment", "StatefulSet")
    }


def facts_of_kubernetes(documents: Sequence[Document]) -> dict[str, Facts]:
    """Tell what the manifests say of each service."""
    texts = {one["metadata"]["name"]: one["data"] for one in of_kind(documents, "ConfigMap")}
    (public,) = (
        one["spec"]["ingress"][0]["ports"][0]["port"]
        for one in of_kind(documents, "NetworkPolicy")
        if one["metadata"]["name"] == "public"
    )
    return {
        name: _facts(workload, texts, public) for name, workload in workloads(documents).items()
    }


def _facts(workload: Document, texts: Document, public: int) -> Facts:
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    rights, limits = container["securityContext"], container["resources"]["limits"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    networks = sorted(
        label.removeprefix(_NETWORK)
        for label, value in labels.items()
        if label.startswith(_NETWORK) and value == "member"
    )
    start = container["startupProbe"]
    facts: Facts = {
        "image": container["image"],
        "command": [*container.get("command", []), *container.get("args", [])]
        or command_of(container["image"]),
        "user": f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}",
        "read_only": rights["readOnlyRootFilesystem"],
        "cap_drop": rights["capabilities"]["drop"],
        "no_new_privileges": not rights["allowPrivilegeEscalation"],
        "limits.cpus": float(limits["cpu"]),
        "limits.memory": size_bytes(limits["memory"]),
        "stops_within_s": float(pod["terminationGracePeriodSeconds"]),
        "networks": networks,
        "ports": [public] if "public" in networks else [],
        "alive.starts_within_s": float(start["failureThreshold"] * start["periodSeconds"]),
        "alive.starting_every_s": float(start["periodSeconds"]),
        **files_read(dict(_read(pod, container, texts))),
    }
    for kind in ("ready", "alive"):
        probe = container["readinessProbe" if kind == "ready" else "livenessProbe"]
        facts |= {
            f"{kind}.asks": _asks(container, probe),
            f"{kind}.every_s": float(probe["periodSeconds"]),
            f"{kind}.within_s": float(probe["timeoutSeconds"]),
            f"{kind}.misses": probe["failureThreshold"],
        }
    assert _asks(container, start) == facts["alive.asks"]
    assert start["timeoutSeconds"] == facts["alive.within_s"]
    for variable in container.get("env", []):
        facts[f"environment.{variable['name']}"] = underscored(variable["value"], _SERVICES)
    for mount in container["volumeMounts"]:
        if size := _written(workload, pod, mount["name"]):
            facts[f"writes.{mount['mountPath']}"] = size
    return facts


def _asks(container: Document, probe: Document) -> Any:
    if "exec" in probe:
        return probe["exec"]["command"]
    (port,) = (
        one["containerPort"]
        for one in container["ports"]
        if one["name"] == probe["httpGet"]["port"]
    )
    return f"{port}{probe['httpGet']['path']}"


def _written(workload: Document, pod: Document, name: str) -> int | str | None:
    """Tell how much may be written to a volume; None where nothing may."""
    if any(
        claim["metadata"]["name"] == name
        for claim in workload["spec"].get("volumeClaimTemplates", [])
    ):
        return ON_DISK
    (volume,) = (one for one in pod["volumes"] if one["name"] == name)
    if "emptyDir" in volume:
        assert volume["emptyDir"]["medium"] == "Memory"
        return size_bytes(volume["emptyDir"]["sizeLimit"])
    return ON_DISK if "persistentVolumeClaim" in volume else None


def _read(pod: Document, container: Document, texts: Document) -> Iterator[tuple[str, str]]:
    """List the files that a pod is given of ConfigMaps, and what is in them."""
    volumes = {one["name"]: one for one in pod.get("volumes", [])}
    for mount in container["volumeMounts"]:
        volume = volumes.get(mount["name"], {})
        sources = volume.get("projected", {"sources": [volume]})["sources"]
        for source in sources:
            if map_ := source.get("configMap"):
                assert mount["readOnly"] is True, mount
                data = texts[map_["name"]]
                items = map_.get("items", [{"key": key, "path": key} for key in data])
                for item in items:
                    yield f"{mount['mountPath']}/{item['path']}", data[item["key"]]
