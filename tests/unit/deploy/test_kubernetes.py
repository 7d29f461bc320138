"""The Kubernetes manifests: valid, and with the intended settings."""

import re
from collections.abc import Sequence

import kubernetes_validate  # type: ignore[import-untyped] # it brings no types
import pytest

from tests.unit.deploy.facts import VERSION, Document
from tests.unit.deploy.kubernetes import FOLDER, needs_kustomize, of_kind, rendered, workloads
from tests.unit.deploy.parity import OWN

pytestmark = needs_kustomize
# The oldest that knows all that is asked for, and the newest that the schemas are of.
_VERSIONS = ("1.30", ".".join(kubernetes_validate.latest_version().split(".")[:2]))
_DRAIN_TIMEOUT_S = 75


@pytest.fixture(params=["base", "production"])
def manifests(request: pytest.FixtureRequest) -> Sequence[Document]:
    return rendered(request.param)


@pytest.mark.parametrize("version", _VERSIONS)
def test_each_object_is_what_its_kind_may_be(manifests: Sequence[Document], version: str) -> None:
    for one in manifests:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_would_be_noticed(manifests: Sequence[Document]) -> None:
    one = next(of_kind(manifests, "Deployment"))
    wrong = {**one, "spec": {**one["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, _VERSIONS[0], strict=True)


def test_a_pod_meets_the_strictest_standard(manifests: Sequence[Document]) -> None:
    (namespace,) = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in workloads(manifests).items():
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        for right in ("hostNetwork", "hostPID", "hostIPC"):
            assert right not in pod, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_a_pod_has_the_time_to_drain(manifests: Sequence[Document]) -> None:
    for name in OWN:
        pod = workloads(manifests)[name]["spec"]["template"]["spec"]
        pause_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] > _DRAIN_TIMEOUT_S + pause_s


def test_a_selector_finds_the_pods_that_it_means(manifests: Sequence[Document]) -> None:
    pods = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for name, one in workloads(manifests).items()
    }

    def found(selector: dict[str, str]) -> set[str]:
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    for name, one in workloads(manifests).items():
        assert found(one["spec"]["selector"]["matchLabels"]) == {name}
    for one in of_kind(manifests, "Service"):
        (of,) = found(one["spec"]["selector"])
        meant = one["metadata"]["name"].replace("-", "_")
        assert of == {"gateway": "charge_request_service"}.get(meant, meant)
        ports = workloads(manifests)[of]["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert [port["targetPort"] for port in one["spec"]["ports"]] == [ports[0]["name"]]
        assert [port["port"] for port in one["spec"]["ports"]] == [ports[0]["containerPort"]]
    budgets = {
        one["metadata"]["name"]: found(one["spec"]["selector"]["matchLabels"])
        for one in of_kind(manifests, "PodDisruptionBudget")
    }
    substations = {name for name in OWN if name.startswith("substation")}
    assert budgets.pop("substations") == substations
    assert all(budget == {name.replace("-", "_")} for name, budget in budgets.items())


def test_names_that_are_looked_up_lead_to_pods_and_not_to_one_address(
    manifests: Sequence[Document],
) -> None:
    headless = {
        one["metadata"]["name"]
        for one in of_kind(manifests, "Service")
        if one["spec"].get("clusterIP") == "None"
    }
    asked = re.findall(r"https?://([\w-]+):", str(list(workloads(manifests).values())))
    assert {name for name in asked if name not in ("127.0.0.1", "prometheus")} <= headless
    assert {"charge-request-service", "load-balancer", "alertmanager"} <= headless


def test_a_network_lets_in_its_own_members_alone(manifests: Sequence[Document]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(manifests, "NetworkPolicy")}
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies.pop("nothing-else") == nothing
    (names,) = policies.pop("names")["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    public = policies.pop("public")
    assert public["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8080}]}]
    assert "egress" not in public
    receivers = policies.pop("receivers")
    assert receivers["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "alertmanager"}
    assert "ingress" not in receivers
    assert {"grid", "monitoring"} <= policies.keys() <= {"grid", "monitoring", "ledger"}
    for name, policy in policies.items():
        member = {"podSelector": {"matchLabels": {f"network.ev-grid/{name}": "member"}}}
        assert policy["podSelector"] == member["podSelector"]
        assert policy["ingress"] == [{"from": [member]}]
        assert policy["egress"] == [{"to": [member]}]


def test_secrets_that_are_asked_for_are_mounted(manifests: Sequence[Document]) -> None:
    for workload in workloads(manifests).values():
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        asked = re.findall(r"(/run/secrets/\w+)/\w+", str(container.get("env")))
        volumes = {one["name"] for one in pod.get("volumes", []) if "secret" in one}
        mounted = {one["mountPath"] for one in container["volumeMounts"] if one["name"] in volumes}
        assert mounted == set(asked)


def test_gateways_and_balancers_grow_and_substations_never_do() -> None:
    scaled = list(of_kind(rendered("production"), "HorizontalPodAutoscaler"))
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == {
        "charge-request-service",
        "load-balancer",
    }
    adapter = (FOLDER / "production" / "metrics-adapter.yaml").read_text()
    for one in scaled:
        (metric,) = one["spec"]["metrics"]
        assert f"as: {metric['external']['metric']['name']}}}" in adapter
        (workload,) = (
            found
            for found in of_kind(rendered("production"), "Deployment")
            if found["metadata"]["name"] == one["spec"]["scaleTargetRef"]["name"]
        )
        assert "replicas" not in workload["spec"]  # to apply it again would undo the scaling
    substations = list(of_kind(rendered("production"), "StatefulSet"))
    assert {one["spec"]["replicas"] for one in substations} == {1}


def test_one_gateway_has_the_file_of_sqlite_and_several_share_a_server() -> None:
    base = workloads(rendered("base"))["charge_request_service"]["spec"]
    production = workloads(rendered("production"))["charge_request_service"]["spec"]
    assert (base["replicas"], base["strategy"]) == (1, {"type": "Recreate"})
    assert production["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "sqlite" not in str(production)
    assert list(of_kind(rendered("production"), "PersistentVolumeClaim")) == []


def test_its_own_images_are_of_this_version(manifests: Sequence[Document]) -> None:
    for name in OWN:
        image = workloads(manifests)[name]["spec"]["template"]["spec"]["containers"][0]["image"]
        assert re.fullmatch(rf"ev-grid/\w+:{re.escape(VERSION)}", image)
