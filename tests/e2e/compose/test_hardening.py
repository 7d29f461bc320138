"""Containers and images as the engine has them: no right, no room to write, no secret."""

import json
import re
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.compose.stack import ROOT, Stack, docker
from tests.e2e.compose.test_compose_file import BASE_IMAGE, USERS, looks_secret

_MAX_KEY_BYTES = 1 << 20
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
# What would be a key, a secret or a history by its name alone.
_TELLTALE = re.compile(
    r"(^|/)(\.git|\.aws|\.ssh)/"
    r"|(^|/)(\.env[^/]*|\.netrc|\.pypirc|id_(rsa|dsa|ecdsa|ed25519)|[^/]*\.(key|p12|pfx))$"
)
# gevent's wheel brings its own tests, and with them keys that everybody has.
_PUBLIC_KEYS = re.compile(r"/site-packages/gevent/tests/")
# The folder whose code an image holds, by a service that runs it.
CODE = {
    "charge_request_service": "charge_request_service",
    "load_balancer": "load_balancer",
    "load_tester": "load_tester",
    "substation1": "substation_service",
}
each_image = pytest.mark.parametrize("service", CODE)


def statuses(text: str) -> Iterator[dict[str, list[str]]]:
    """Read /proc/PID/status of one process after the other."""
    for process in re.split(r"^(?=Name:)", text, flags=re.MULTILINE)[1:]:
        yield {
            name: value.split()
            for name, _, value in (line.partition(":") for line in process.splitlines())
        }


def held(facts: dict[str, list[str]], user: str) -> None:
    """Hold a process to having no right, and no way to gain one."""
    uid, gid = user.split(":")
    assert facts["Uid"] == [uid] * 4
    assert facts["Gid"] == [gid] * 4
    for rights in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(facts[rights][0], 16) == 0, f"{facts['Name']}: {rights}"
    assert facts["NoNewPrivs"] == ["1"]
    assert facts["Seccomp"] == ["2"]  # the engine's filter of system calls


def test_no_process_has_a_right_or_may_gain_one(stack: Stack) -> None:
    services = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in stack.containers()
    }
    for service in services:
        shown = stack.compose("exec", service, "sh", "-c", "cat /proc/[0-9]*/status").stdout
        processes = list(statuses(shown))
        assert len(processes) >= 2  # the service, and what shows it
        for facts in processes:
            held(facts, USERS.get(service, "10001:10001"))


def test_the_load_tester_has_no_right_either(stack: Stack) -> None:
    stack.compose("build", "load_tester")
    shown = stack.compose(
        *("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat"),
        *("load_tester", "/proc/self/status"),
    ).stdout
    (facts,) = statuses(shown)
    held(facts, "10001:10001")


def test_the_engine_holds_each_container_to_the_file(stack: Stack) -> None:
    for container in stack.containers():
        name, host = container["Name"], container["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert not host["Privileged"], name
        assert not host["Devices"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["NetworkMode"].startswith(stack.project), name
        assert host["PidMode"] == "", name
        assert host["IpcMode"] == "private", name
        assert 0 < host["Memory"] <= 1 << 30, name
        assert 0 < host["NanoCpus"] <= 1_000_000_000, name
        assert 0 < host["PidsLimit"] <= 256, name
        for mount in container["Mounts"]:
            if mount["Destination"] in ("/var/lib/substation", "/var/lib/gateway"):
                assert mount["Type"] == "volume", name  # its journal, or the ledger
                continue
            assert Path(mount["Source"]).is_relative_to(ROOT), name
            assert not mount["RW"], name


def test_a_container_writes_to_bounded_memory_alone_and_runs_nothing_from_it(stack: Stack) -> None:
    for container in stack.containers():
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        mounts = [
            line.split()[:4]
            for line in stack.compose("exec", service, "cat", "/proc/mounts").stdout.splitlines()
        ]
        assert next(options for _, at, _, options in mounts if at == "/").startswith("ro,")
        for place in container["HostConfig"]["Tmpfs"]:
            options = next(options for _, at, _, options in mounts if at == place).split(",")
            assert {"noexec", "nosuid", "nodev"} <= set(options), (service, place)
            assert any(option.startswith("size=") for option in options), (service, place)


@pytest.fixture(scope="module")
def archive(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    """The project's own images, as whoever pulls them gets them."""
    stack.compose("build", timeout_s=300)
    file = tmp_path_factory.mktemp("images") / "images.tar"
    done = docker("save", "-o", str(file), *map(stack.image, CODE), timeout_s=300)
    assert done.returncode == 0, done.stderr
    with tarfile.open(file) as archive:
        yield archive


def document(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    assert file
    return json.load(file)


def files_on_top(archive: tarfile.TarFile, image: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files that an image has on top of its base, with what begins them."""
    base = json.loads(docker("image", "inspect", BASE_IMAGE).stdout)[0]["RootFS"]["Layers"]
    (manifest,) = (one for one in document(archive, "manifest.json") if image in one["RepoTags"])
    for layer in manifest["Layers"][len(base) :]:
        with tarfile.open(fileobj=archive.extractfile(layer)) as files:
            for member in files:
                content = files.extractfile(member) if member.isfile() else None
                if not member.isdir():
                    yield member.name, content.read(_MAX_KEY_BYTES) if content else b""


@each_image
def test_an_image_adds_its_code_and_its_libraries_alone(
    stack: Stack, archive: tarfile.TarFile, service: str
) -> None:
    places = set()
    for name, content in files_on_top(archive, stack.image(service)):
        places.add("/".join(name.split("/")[:2]))
        if not _PUBLIC_KEYS.search(name):
            assert not _TELLTALE.search(name), name
            assert not _PRIVATE_KEY.search(content), name
    assert places == {"app/requirements.txt", "app/grid_common", f"app/{CODE[service]}", "opt/venv"}


@each_image
def test_no_image_has_a_secret_in_its_settings_or_its_history(stack: Stack, service: str) -> None:
    image = stack.image(service)
    (facts,) = json.loads(docker("image", "inspect", image).stdout)
    settings = dict(setting.split("=", 1) for setting in facts["Config"]["Env"])
    assert [name for name, value in settings.items() if looks_secret(name, value)] == []
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).stdout
    assert [pair for pair in re.findall(r"(\w+)=(\S+)", history) if looks_secret(*pair)] == []


def test_no_log_contains_a_callers_secret(stack: Stack) -> None:
    secret = secrets.token_hex(16)
    answer = stack.charge(
        kwh=1,
        **{"Authorization": f"Bearer {secret}", "X-API-Key": secret, "Cookie": f"session={secret}"},
    )
    assert answer.status_code in (200, 401)
    requests.get(stack.url("gateway", f"/nowhere?key={secret}"), timeout=5)
    requests.get(
        stack.url("gateway", "/substations"), auth=("someone", secret), timeout=5
    ).raise_for_status()
    logs = stack.compose("logs", "--no-color").stdout
    assert "charge_request_service" in logs
    assert secret not in logs


@pytest.mark.parametrize(
    "name", ["app/.git/config", "app/.env", "root/.ssh/id_ed25519", "opt/x/server.key"]
)
def test_a_name_that_suggests_a_secret(name: str) -> None:
    assert _TELLTALE.search(name)
    assert not _TELLTALE.search("opt/venv/.gitignore")
    assert not _TELLTALE.search("app/charge_request_service/keys.py")
