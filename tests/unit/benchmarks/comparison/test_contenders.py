import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask, request

from benchmarks.comparison.contenders import CONTENDERS, Contender, Place, PlacedSubstation
from benchmarks.comparison.contenders.contender import find
from benchmarks.comparison.contenders.simple_server import create_app
from benchmarks.comparison.scenes import scenes
from local_stack.grid import Ports
from tests.unit.benchmarks.served import served

FIND = "benchmarks.comparison.contenders.contender.find"
BY_KEY = {contender.key: contender for contender in CONTENDERS}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    ports = Ports.free(2)
    substations = [
        PlacedSubstation("substation1", ports.substations[0], 4, 350.0, 700.0),
        PlacedSubstation("substation2", ports.substations[1], 12, 50.0, 300.0),
    ]
    return Place(ports.balancer, ports.prometheus, substations, tmp_path, longest_s=2.123456)


@pytest.mark.parametrize("key", ["haproxy", "nginx", "envoy"])
def test_a_program_that_is_not_installed_is_named(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND, lambda _program: None)
    monkeypatch.setattr("benchmarks.comparison.contenders.envoy.find_spec", lambda _package: None)
    assert re.fullmatch(rf"{key} is not installed \(.+\)", BY_KEY[key].missing() or "")


@pytest.mark.parametrize(
    ("key", "check"),
    [
        ("haproxy", ["-c", "-f", "haproxy.cfg"]),
        ("haproxy-limits", ["-c", "-f", "haproxy.cfg"]),
        ("nginx", ["-t", "-q", "-e", "stderr", "-p", ".", "-c", "nginx.conf"]),
        ("envoy", ["--mode", "validate", "-l", "error", "-c", "envoy.yaml"]),
    ],
)
def test_a_contender_takes_the_configuration_that_is_written_for_it(
    key: str, check: list[str], place: Place
) -> None:
    contender = BY_KEY[key]
    if why := contender.missing():
        pytest.skip(why)
    contender.process(place)
    command = _command(contender, place)[0]
    check = [str(place.folder / arg) if "." in arg else arg for arg in check]
    done = subprocess.run([command, *check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # A version is in the report, so it must be found.
    assert re.search(r"\d+\.\d+", contender.version())


def _command(contender: Contender, place: Place) -> list[str]:
    return contender.process(place)._command


@pytest.mark.parametrize(
    ("key", "file", "words"),
    [
        ("haproxy", "haproxy.cfg", "maxconn {capacity} weight {capacity}"),
        ("nginx", "nginx.conf", "max_conns={capacity} weight={capacity}"),
        ("envoy", "envoy.yaml", "load_balancing_weight: {capacity}"),
    ],
)
def test_each_substation_has_its_own_capacity_in_a_contenders_configuration(
    key: str, file: str, words: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND, lambda program: program)
    BY_KEY[key].process(place)
    text = (place.folder / file).read_text()
    for substation in place.substations:
        assert words.format(capacity=substation.capacity) in text
        assert str(substation.port) in text
    assert "$" not in text


def test_haproxy_can_weigh_substations_by_their_power_limits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND, lambda program: program)
    BY_KEY["haproxy-limits"].process(place)
    text = (place.folder / "haproxy.cfg").read_text()
    assert "maxconn 4 weight 256" in text
    assert "maxconn 12 weight 109" in text


def test_weights_by_limits_play_only_where_they_are_not_those_by_points() -> None:
    played = [scene.name for scene in scenes(quick=False) if BY_KEY["haproxy-limits"].plays(scene)]
    assert played == ["unlike substations"]
    assert all(BY_KEY["haproxy"].plays(scene) for scene in scenes(quick=False))


def test_a_server_outside_a_users_path_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("no-such-program") is None
    if Path("/usr/sbin/nginx").exists():
        assert find("nginx") == "/usr/sbin/nginx"


class Stub(NamedTuple):
    """A substation that shows a load and counts who comes."""

    url: str
    came: list[bytes]


@pytest.fixture
def stubs() -> Iterator[list[Stub]]:
    made: list[list[bytes]] = [[], [], []]
    with ExitStack() as opened:
        yield [
            Stub(opened.enter_context(served(_substation(load, came))), came)
            for load, came in zip((5, 3, 4), made, strict=True)
        ]


def _substation(load: int, came: list[bytes]) -> Flask:
    app = Flask(__name__)

    @app.get("/metrics")
    def metrics() -> str:
        return f"substation_current_load {load}\n"

    @app.post("/charge")
    def charge() -> str:
        came.append(request.get_data())
        return "{}"

    return app


def test_the_simple_way_takes_the_least_gauge_among_those_that_answer(
    stubs: list[Stub], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"http://127.0.0.1:{Ports.free(0).balancer}"
    monkeypatch.setenv("SUBSTATIONS", ",".join([nobody, *(stub.url for stub in stubs)]))
    client = create_app().test_client()
    assert client.post("/charge", data=b'{"kwh":6}').status_code == 200
    assert [stub.came for stub in stubs] == [[], [b'{"kwh":6}'], []]


def test_the_simple_way_refuses_when_no_gauge_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSTATIONS", f"http://127.0.0.1:{Ports.free(0).balancer}")
    assert create_app().test_client().post("/charge").status_code == 503
