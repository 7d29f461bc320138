"""A fourth substation comes up while vehicles charge, and answers as no substation should."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local_stack.fault_proxy import FaultProxy
from local_stack.grid import Grid, Ports
from tests.e2e.faults.local.conftest import POINTS
from tests.e2e.faults.scene import Scene
from tests.support.memory import Memory
from tests.support.raw_substation import Bytes, http, raw_substation

_STAYS_S = 4
# What 50 vehicles and their connections may take in the balancer; a page of 50 MB would not fit.
_GROWTH_MB = 30

_ANSWERS = {
    "garbage": Bytes(b"\x00\xff nonsense\r\n\r\n", disconnect=True),
    "half a response": Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", disconnect=True),
    "nothing, and disconnects": Bytes(b"", disconnect=True),
    "nothing at all": Bytes(b""),
    "500": http(b"oh no", status=b"500 Internal Server Error"),
}
_PAGES = {
    "50 MB": http(b"x" * 50_000_000),
    "an endless body": Bytes(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"x" * 65_536),
    "an endless list of headers": Bytes(b"HTTP/1.1 200 OK\r\n", forever=b"X-Load: 0\r\n" * 1000),
}


@pytest.fixture(scope="module")
def bad_port() -> int:
    return Ports.free(0).gateway


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, bad_port: int) -> Iterator[Grid]:
    ports = Ports.free(len(POINTS))
    substations = [
        f"substation{n}=http://127.0.0.1:{port}" for n, port in enumerate(ports.substations, 1)
    ]
    with Grid(
        tmp_path_factory.mktemp("grid"),
        points=POINTS,
        ports=ports,
        balancer_env={"SUBSTATIONS": ",".join([*substations, f"bad=http://127.0.0.1:{bad_port}"])},
    ) as grid:
        yield grid


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


@pytest.mark.parametrize("what", _ANSWERS)
def test_everybody_is_charged_once_whatever_a_substation_responds_to_vehicles(
    scene: Scene, bad_port: int, what: str
) -> None:
    asked: list[str] = []

    def comes_up_and_goes() -> None:
        with (
            raw_substation(_ANSWERS[what]) as substation,
            FaultProxy(bad_port, port_of(substation.url)),
        ):
            time.sleep(_STAYS_S)
            asked.extend(substation.asked)

    scene.play(f"a substation responds to vehicles with {what}", comes_up_and_goes)
    assert "/charge" in asked


@pytest.mark.parametrize("what", _PAGES)
def test_everybody_is_charged_once_whatever_a_substation_has_as_its_metrics_page(
    scene: Scene, grid: Grid, bad_port: int, what: str
) -> None:
    def comes_up_and_goes() -> None:
        memory = Memory(grid.balancer)
        with (
            raw_substation(metrics=[_PAGES[what]]) as substation,
            FaultProxy(bad_port, port_of(substation.url)),
        ):
            time.sleep(_STAYS_S)
            assert substation.asked
            assert set(substation.asked) == {"/metrics"}
        assert memory.grown_mb < _GROWTH_MB

    scene.play(
        f"a substation's metrics page is {what}; the balancer grows by < {_GROWTH_MB} MB",
        comes_up_and_goes,
    )
