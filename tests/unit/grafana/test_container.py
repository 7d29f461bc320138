"""The containers of Grafana and Prometheus, as the Compose file and what watches it have them."""

import re

import yaml

from tests.support.commands import run
from tests.unit.deploy.facts import Document, compose
from tests.unit.deploy.units import size_bytes
from tests.unit.grafana.dashboards import FILES, ROOT, load


def service(name: str) -> Document:
    found: Document = compose()["services"][name]
    return found


def test_the_memory_leaves_room_for_what_is_written_to_it() -> None:
    for name in ("grafana", "prometheus"):
        container = service(name)
        written = sum(
            size_bytes(size)
            for mount in container["tmpfs"]
            for size in re.findall(r"size=(\w+)", mount)
        )
        limit = size_bytes(container["mem_limit"])
        heap = size_bytes(container["environment"]["GOMEMLIMIT"])
        assert limit == 1 << 30, name
        # A tenth for what the runtime does not count.
        assert heap + written <= 0.95 * limit, name
        assert heap >= 400 << 20, name


def test_grafana_asks_nobody_outside() -> None:
    environment = service("grafana")["environment"]
    for switched_off in (
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
    ):
        assert environment[switched_off] == "false", switched_off
    for switched_on in (
        "GF_PLUGINS_PREINSTALL_DISABLED",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED",
        "GF_SECURITY_DISABLE_GRAVATAR",
    ):
        assert environment[switched_on] == "true", switched_on


def test_grafana_is_well_once_its_dashboards_are_there_for_anyone() -> None:
    check = service("grafana")["healthcheck"]
    address = check["test"][-1]
    glance = next(file for file in FILES if file.stem == "grid-at-a-glance")
    assert address == f"http://127.0.0.1:3000/api/dashboards/uid/{load(glance)['uid']}"
    assert int(check["start_period"].removesuffix("s")) >= 120


def test_no_folder_of_provisioning_is_hidden_or_missing() -> None:
    """A mount over all of them hides the image's empty ones, which is an error at each start."""
    mounts = dict(
        volume.removesuffix(":ro").split(":")
        for volume in service("grafana")["volumes"]
        if "provisioning" in volume
    )
    folders = sorted(path.name for path in (ROOT / "grafana" / "provisioning").iterdir())
    assert mounts == {
        f"./grafana/provisioning/{name}": f"/etc/grafana/provisioning/{name}" for name in folders
    }


def test_images_are_of_lines_that_are_looked_after() -> None:
    assert re.fullmatch(r"prom/prometheus:v3\.13\.\d+", service("prometheus")["image"])
    assert re.fullmatch(
        r"grafana/grafana:12\.4\.\d+@sha256:[0-9a-f]{64}", service("grafana")["image"]
    )


def test_the_next_line_of_an_image_is_not_offered_but_chosen() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    (compose,) = [one for one in updates if one["package-ecosystem"] == "docker-compose"]
    ignored = {one["dependency-name"]: one["update-types"] for one in compose["ignore"]}
    assert "version-update:semver-major" in ignored["grafana/grafana"]
    assert "version-update:semver-minor" in ignored["prom/prometheus"]


def test_a_stand_in_for_prometheus_gets_the_tag_that_the_compose_file_names() -> None:
    (line,) = re.findall(r"^PROMETHEUS_TAG=.*$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    done = run("bash", "-c", f"{line}; echo $PROMETHEUS_TAG")
    assert f"prom/prometheus:{done.stdout.strip()}" == service("prometheus")["image"]
