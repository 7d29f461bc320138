"""Compares what the three ways to run the grid say of each service.

Compose is what the others are held to. Where one has to be unlike it, that stands here with its
value and the reason: another value is noticed all the same.
"""

from collections.abc import Mapping
from typing import Any

from tests.unit.deploy.facts import ON_DISK, Facts

OWN = ("charge_request_service", "load_balancer", "substation1", "substation2", "substation3")
_KEYS = "environment.CHARGE_API_KEYS_FILE"
_LEDGER_URL = "environment.LEDGER_URL"
ABSENT = object()

# What an engine has no word for, by the beginning of the fact's name.
CANNOT: Mapping[str, Mapping[str, str]] = {
    "swarm": {"ready.": "it has one check, and starts a task anew that fails it"},
    "kubernetes": {
        "limits.pids": "a setting of the node's (podPidsLimit)",
        "nofile": "a setting of the container runtime's",
        "logging": "the node keeps and turns logs",
        "init": "health is asked by HTTP: no process is left behind",
        "alive.asks_with": "by HTTP, from the node",
        "ready.asks_with": "by HTTP, from the node",
        "ready.start": "while it starts, it is asked whether it lives",
    },
}
CANNOT = {**CANNOT, "production": CANNOT["kubernetes"]}

# By engine and service: what differs, its value there (or what makes it of Compose's), and why.
Difference = tuple[str, Any, str]


def _with_ledger(networks: list[str]) -> list[str]:
    return sorted([*networks, "ledger"])


_NO_OPTION = ("no_new_privileges", False, "Swarm has no security_opt: the engine's own setting")
_KEPT = "on disk: a folder in memory would be root's"
_SWARM: dict[str, list[Difference]] = {
    "charge_request_service": [
        ("environment.PUBLISHED_HOST", "0.0.0.0", "Swarm publishes on every address"),  # noqa: S104 - compared
        (_KEYS, "/run/secrets/api_keys", "so it wants keys"),
        (
            _LEDGER_URL,
            "postgresql://grid@ledger/ledger?password_file=/run/secrets/ledger_password",
            "several gateways share it",
        ),
        ("networks", _with_ledger, "the way to that server"),
        ("writes./var/lib/gateway", ABSENT, "the ledger is not here"),
    ],
    "prometheus": [
        _NO_OPTION,
        ("ports", [], "it asks nobody who they are, and Swarm publishes on every address"),
        ("writes./prometheus", ON_DISK, _KEPT),
    ],
    "grafana": [
        _NO_OPTION,
        ("ports", [], "it asks nobody who they are, and Swarm publishes on every address"),
    ],
    "alertmanager": [_NO_OPTION, ("writes./alertmanager", ON_DISK, _KEPT)],
}
_KUBERNETES: dict[str, list[Difference]] = {
    "charge_request_service": [
        ("environment.PUBLISHED_HOST", "0.0.0.0", "a Service lets the cluster in"),  # noqa: S104 - compared
        (_KEYS, "/run/secrets/api_keys/api_keys", "so it wants keys; a Secret is a folder"),
    ],
    "prometheus": [("ports", [], "it asks nobody who they are")],
    "grafana": [("ports", [], "it asks nobody who they are")],
}
_PRODUCTION: dict[str, list[Difference]] = {
    **_KUBERNETES,
    "charge_request_service": [
        *_KUBERNETES["charge_request_service"],
        (
            _LEDGER_URL,
            "postgresql://grid@ledger/ledger?password_file=/run/secrets/ledger/password",
            "several gateways share it",
        ),
        ("networks", _with_ledger, "the way to that server"),
        ("writes./var/lib/gateway", ABSENT, "the ledger is not here"),
    ],
    "ledger": [
        ("no_new_privileges", True, "Kubernetes can"),
        (
            "environment.POSTGRES_PASSWORD_FILE",
            "/run/secrets/ledger/password",
            "a Secret is a folder",
        ),
        (
            "environment.PGDATA",
            "/var/lib/postgresql/data/grid",
            "a volume's own folder may hold a lost+found",
        ),
    ],
}
# Compose tells of a service that is not ready, and does nothing. The others end one that does not
# live, with the vehicles in flight: only after a minute of silence, however busy its machine is.
_ALIVE = {
    "alive.every_s": 10.0,
    "alive.within_s": 10.0,
    "alive.misses": 6,
    "alive.starting_every_s": 2.0,
}
UNLIKE = {"swarm": _SWARM, "kubernetes": _KUBERNETES, "production": _PRODUCTION}


def expected(engine: str, reference: Mapping[str, Facts]) -> dict[str, Facts]:
    """Tell what an engine's file has to say, for Compose says what it does."""
    return {name: _expected(engine, name, facts) for name, facts in reference.items()}


def _expected(engine: str, service: str, facts: Facts) -> Facts:
    wanted = dict(facts)
    for name, value in facts.items():
        if name.startswith("ready."):
            wanted[f"alive.{name[6:]}"] = value
    if service in OWN:
        wanted["alive.asks"] = wanted["alive.asks"].replace("/readyz", "/healthz")
    wanted |= _ALIVE
    wanted["alive.starts_within_s"] = 2 * facts["ready.starts_within_s"]
    for name, value, _ in UNLIKE[engine].get(service, []):
        wanted[name] = value(wanted[name]) if callable(value) else value
    return {
        name: value
        for name, value in wanted.items()
        if value is not ABSENT and not any(map(name.startswith, CANNOT[engine]))
    }


def differences(wanted: Mapping[str, Facts], found: Mapping[str, Facts]) -> list[str]:
    """List where what is found is not what is wanted."""
    lines = [f"{name}: in one place only" for name in sorted(wanted.keys() ^ found.keys())]
    for service in sorted(wanted.keys() & found.keys()):
        want, have = wanted[service], found[service]
        lines += [
            f"{service}: {name} is {_shown(have.get(name))}, not {_shown(want.get(name))}"
            for name in sorted(want.keys() | have.keys())
            if want.get(name, ABSENT) != have.get(name, ABSENT)
        ]
    return lines


def _shown(value: Any) -> str:
    return repr(value)[:120]
