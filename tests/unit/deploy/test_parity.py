"""Compose, the stack of Swarm and the manifests of Kubernetes say the same of each service."""

import copy
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.unit.deploy.facts import Facts, compose, facts_of_compose, facts_of_stack, stack
from tests.unit.deploy.kubernetes import facts_of_kubernetes, needs_kustomize, rendered, workloads
from tests.unit.deploy.parity import CANNOT, UNLIKE, differences, expected

Path = tuple[Any, ...]
Documents = Mapping[str, Any]
_KUSTOMIZE = shutil.which("kubectl") is not None

_READ: dict[str, Callable[[], Any]] = {
    "compose": compose,
    "swarm": stack,
    "kubernetes": lambda: rendered("base"),
    "production": lambda: rendered("production"),
}
_OF_KUBERNETES = [pytest.param(one, marks=needs_kustomize) for one in ("kubernetes", "production")]
each_engine = pytest.mark.parametrize("engine", ["swarm", *_OF_KUBERNETES])
each_file = pytest.mark.parametrize("name", ["compose", "swarm", *_OF_KUBERNETES])

# What an engine's file says that the others have no word for, and so cannot differ from: by the end
# of the path. Other tests hold what is in it, here and in tests/e2e.
_OF_ONE_ALONE = {
    "compose": r"restart|pull_policy|build\.\w+|depends_on\.\w+\.condition|profiles\.0"
    # What waits for a service that starts: nothing, in the others.
    r"|healthcheck\.start_interval"
    # Told anew in the others, as parity.py says, with a value of their own.
    r"|environment\.(PUBLISHED_HOST|LEDGER_URL)|(prometheus|grafana|alertmanager)\.security_opt\.0"
    # Started by hand, here alone.
    r"|load_tester\..*",
    "swarm": r"deploy\.(endpoint_mode|replicas|placement\.constraints\.0|restart_policy\.\w+"
    r"|(update|rollback)_config\.\w+)|ports\.0\.(mode|published)|volumes\.\d\.source|secrets\..*"
    # Kubernetes has other words for these of the server.
    r"|ledger\.(logging\..*|environment\.POSTGRES_PASSWORD_FILE"
    r"|deploy\.resources\.limits\.pids)",
    "kubernetes": r"apiVersion|metadata\.namespace|spec\.(replicas|serviceName|strategy\..*)"
    r"|(matchL|l)abels\.(app\.kubernetes\.io/[\w-]+|tier)|pod\.(automountServiceAccountToken|"
    r"enableServiceLinks|securityContext\.(fsGroup|fsGroupChangePolicy|runAsNonRoot"
    r"|seccompProfile\.type)|topologySpreadConstraints\..*)"
    r"|containers\.0\.(imagePullPolicy|name|resources\.requests\.\w+"
    r"|lifecycle\.preStop\.sleep\.seconds)|(api-keys|ledger-password|password)\..*"
    r"|ports\.0\.protocol|pod\.containers\.0\.ports\.0\.(name|containerPort)|persistentVolumeClaim\.claimName"
    r"|volumeClaimTemplates\.0\.(metadata\.labels\..*|spec\..*)",
}
_OF_ONE_ALONE["production"] = _OF_ONE_ALONE["kubernetes"]
if not _KUSTOMIZE:
    _OF_ONE_ALONE["compose"] += r"|healthcheck\..*"  # of readiness: Kubernetes alone has one


def facts_of(engine: str, document: Any) -> dict[str, Facts]:
    if engine == "compose":
        return facts_of_compose(document)
    return facts_of_stack(document) if engine == "swarm" else facts_of_kubernetes(document)


def compared(engine: str, documents: Documents) -> list[str]:
    """List where an engine's file is not as Compose's is, nor its ledger's server as Swarm's is."""
    found = facts_of(engine, documents[engine])
    reference = facts_of_compose(documents["compose"])
    if engine != "kubernetes":
        reported = facts_of_stack(documents["swarm"])["ledger"]
        checked = {f"ready.{name}": reported[f"alive.{name}"] for name in ("asks", "asks_with")}
        as_others = {
            name: value for name, value in reference["prometheus"].items() if "ready." in name
        }
        alike = {name: value for name, value in reported.items() if not name.startswith("alive.")}
        reference["ledger"] = alike | as_others | checked
    return differences(expected(engine, reference), found)


@each_engine
def test_an_engine_runs_what_compose_runs(engine: str) -> None:
    documents = {name: _READ[name]() for name in ("compose", "swarm", engine)}
    assert compared(engine, documents) == []


@each_file
def test_a_change_in_one_place_only_is_noticed(name: str) -> None:
    documents = {one: _READ[one]() for one in ("compose", "swarm", name)}
    engines = ["swarm"] if name == "compose" else [name]
    if name in ("compose", "swarm") and _KUSTOMIZE:
        engines.append("production")  # has a check for readiness, and Swarm's ledger
        documents["production"] = _READ["production"]()
    alone = re.compile(rf".*\b({_OF_ONE_ALONE[name]})")
    places = list(services(name, documents[name]))
    assert len(places) > 250

    unnoticed = {
        shown(documents[name], path)
        for path in places
        if not any(is_noticed(engine, documents, name, path) for engine in engines)
    }

    assert {place for place in unnoticed if not alone.fullmatch(place)} == set()


def services(name: str, document: Any) -> Iterator[Path]:
    """Yield where each value stands that a file has for a service."""
    if name in ("compose", "swarm"):
        for service in document["services"]:
            if service != "ledger" or _KUSTOMIZE:
                inner = leaves(document["services"][service])
                yield from (("services", service, *path) for path in inner)
        return
    for workload in workloads(document).values():
        yield from ((document.index(workload), *path) for path in leaves(workload))


def leaves(node: Any) -> Iterator[Path]:
    """Yield where each value of a document stands that is no list and no mapping."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from ((key, *path) for path in leaves(value))
        else:
            yield (key,)


def is_noticed(engine: str, documents: Documents, name: str, path: Path) -> bool:
    """Tell whether the comparison fails once a value is another."""
    try:
        return bool(compared(engine, {**documents, name: mutated(documents[name], path)}))
    except (AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError):
        return True  # what stands there cannot be read


def mutated(document: Any, path: Path) -> Any:
    """Return a copy with another value at one place."""
    top = node = copy.copy(document)
    for key in path[:-1]:
        node[key] = copy.copy(node[key])
        node = node[key]
    node[path[-1]] = changed(node[path[-1]])
    return top


def changed(value: Any) -> Any:
    """Return something else that might stand in a value's place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if number := re.fullmatch(r"(\d+)(\D*)", value or ""):
        return f"{int(number[1]) + 1}{number[2]}"
    return f"{value}x"


def shown(document: Any, path: Path) -> str:
    """Write where a value stands, with the names of volumes in the place of their numbers."""
    reported: list[str] = []
    node = document
    for key in path:
        node = node[key]
        is_volume = (
            isinstance(key, int) and reported and reported[-1] in ("volumes", "volumeMounts")
        )
        reported.append(
            str(node.get("name", key)) if is_volume and isinstance(node, dict) else str(key)
        )
    return ".".join(reported).replace(".spec.template.spec.", ".pod.")


@each_engine
def test_what_is_said_to_differ_does(engine: str) -> None:
    reference = facts_of_compose(compose()) | {"ledger": facts_of_stack(stack())["ledger"]}
    for service, unlike in UNLIKE[engine].items():
        for name, value, why in unlike:
            assert why
            assert reference[service].get(name) != value, f"{service}: {name} is as in Compose"
    for begins, why in CANNOT[engine].items():
        assert why
        assert any(
            name.startswith(begins.replace("alive.", "ready."))
            for facts in reference.values()
            for name in facts
        )
