"""The pods of the manifests, played for real: they start, find each other, charge, and are held."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.compose.test_hardening import held, statuses
from tests.e2e.kubernetes.pods import Pods, podman_missing, running
from tests.unit.deploy.parity import OWN

_VEHICLES = 60


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    if missing := podman_missing():
        pytest.skip(missing)
    with running(tmp_path_factory.mktemp("pods")) as pods:
        yield pods


@pytest.mark.timeout(420)
def test_the_pods_find_each_other_and_charge(pods: Pods) -> None:
    with ThreadPoolExecutor(_VEHICLES) as pool:
        answers = list(pool.map(lambda _: pods.charge(), range(_VEHICLES)))

    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert {answer.json()["substation"] for answer in answers} == set(OWN[2:])


@pytest.mark.parametrize("service", OWN)
def test_a_container_gains_no_right_and_writes_where_the_manifest_says(
    pods: Pods, service: str
) -> None:
    for facts in statuses(pods.exec(service, "sh", "-c", "cat /proc/[0-9]*/status")):
        held(facts, "10001:10001")
    kept = {"charge_request_service": "/var/lib/gateway"}.get(service, "/var/lib/substation")
    assert "Read-only file system" in pods.exec(service, "touch", "/app/x", check=False)
    pods.exec(service, "touch", "/tmp/x")  # noqa: S108 - the container's own
    if service != "load_balancer":
        pods.exec(service, "touch", f"{kept}/x")
