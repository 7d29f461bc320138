"""The gateway behind the proxies of `docs/proxies.md`, as the page sets them up, over real TLS."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.support.api_keys import add_key
from tests.support.deadline import eventually
from tests.support.proxies import (
    NAME,
    Caddy,
    Caller,
    Certificate,
    HAProxy,
    Nginx,
    PlainNginx,
    Proxy,
)

# 50 kW, 360 times faster than life: 5 kWh take a second.
LONG = {"kwh": 15}
LONG_S = 3.0
# How each is told to wait for an answer, cut to less than a long charge takes.
IMPATIENT = {
    Nginx: {"proxy_read_timeout 24h": "proxy_read_timeout 1s"},
    HAProxy: {"timeout server 24h": "timeout server 1s"},
}

Start = Callable[..., Proxy]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "api_keys.txt"


@pytest.fixture(scope="module")
def bearer(keys_file: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {add_key(keys_file, 'ops')}"}


@pytest.fixture(scope="module")
def grid(start_shared_grid: StartGrid, keys_file: Path, bearer: dict[str, str]) -> Grid:
    assert bearer
    settings = {"PUBLISHED_HOST": NAME, "CHARGE_API_KEYS_FILE": str(keys_file)}
    return start_shared_grid(points=(4, 8), gateway_env=settings)


@pytest.fixture(scope="module")
def open_grid(start_shared_grid: StartGrid) -> Grid:
    """A grid that asks for no keys."""
    return start_shared_grid(points=(4, 8))


@pytest.fixture
def start(
    tmp_path: Path, certificate: Certificate, request: pytest.FixtureRequest
) -> Iterator[Start]:
    running: list[Proxy] = []

    def start(kind: type[Proxy], grid: Grid, changes: dict[str, str] | None = None) -> Proxy:
        gateway = grid.url.removeprefix("http://")
        proxy = kind(tmp_path / f"proxy{len(running)}", gateway, certificate, changes)
        running.append(proxy)
        proxy.start()
        proxy.wait_until(proxy.listens, timeout_s=20)
        return proxy

    request.node.logs = lambda: {one.name: one.log_tail() for one in running}
    yield start
    for proxy in running:
        proxy.kill()


def in_progress(grid: Grid) -> float:
    return scrape(grid.url)["charge_requests_in_progress"]


@pytest.mark.parametrize("kind", [Nginx, HAProxy, Caddy])
def test_behind_it_a_vehicle_is_charged_with_a_key_however_long_and_stopped_by_hanging_up(
    kind: type[Proxy], start: Start, grid: Grid, bearer: dict[str, str], certificate: Certificate
) -> None:
    caller = Caller(start(kind, grid), trusts=certificate.certificate)

    assert caller.ask("POST", "/charge", json={"kwh": 1}).status_code == 401
    sent = {**bearer, "X-Request-ID": "trip-42"}
    charged = caller.ask("POST", "/charge", sent, json=LONG)
    assert charged.status_code == 200
    assert charged.json()["charging_s"] >= LONG_S
    assert charged.headers["X-Request-ID"] == "trip-42"

    # as a browser sends it that knows no Sec-Fetch-Site
    page = {**bearer, "Origin": caller.substation}
    assert caller.ask("GET", "/").status_code == 200
    assert caller.ask("POST", "/charge", page, json={"kwh": 1}).status_code == 200
    begun = caller.ask("POST", "/rush-hour", page, json={"vehicles": 1, "over_s": 600})
    assert begun.status_code == 202
    assert caller.ask("DELETE", "/rush-hour", page).status_code == 200
    bad = caller.ask("POST", "/charge", bearer, json={"ev_id": "EV-1"})
    assert "did you mean vehicle_id?" in bad.json()["detail"]
    assert caller.ask("GET", "/metrics", bearer).status_code == 404

    with pytest.raises(requests.ReadTimeout):
        caller.ask("POST", "/charge", bearer, json={"kwh": 500}, timeout=0.5)

    def stopped() -> None:
        assert in_progress(grid) == 0

    eventually(stopped)


@pytest.mark.parametrize("kind", IMPATIENT)
def test_the_time_that_the_page_sets_is_what_a_long_charge_lives_by(
    kind: type[Proxy], start: Start, grid: Grid, bearer: dict[str, str], certificate: Certificate
) -> None:
    caller = Caller(start(kind, grid, IMPATIENT[kind]), trusts=certificate.certificate)

    assert caller.ask("POST", "/charge", bearer, json={"kwh": 1}).status_code == 200
    began = time.monotonic()
    cut_off = caller.ask("POST", "/charge", bearer, json=LONG)

    assert cut_off.status_code == 504
    assert time.monotonic() - began < LONG_S

    def stopped() -> None:
        assert in_progress(grid) == 0

    eventually(stopped, within_s=1.5)  # before it would have been charged


@pytest.mark.parametrize("kind", [Nginx, HAProxy, Caddy])
def test_another_name_gets_nothing(
    kind: type[Proxy], start: Start, grid: Grid, bearer: dict[str, str], certificate: Certificate
) -> None:
    """The proxy refuses it: with a key the gateway itself answers to any name."""
    proxy = start(kind, grid)
    by_name = Caller(proxy, trusts=certificate.certificate)
    assert by_name.ask("GET", "/substations", bearer).status_code == 200

    with pytest.raises(requests.exceptions.SSLError, match=r"(?i)alert|unrecognized"):
        Caller(proxy, trusts=certificate.certificate, name="elsewhere.example").ask("GET", "/")
    foreign = {**bearer, "Host": f"elsewhere.example:{proxy.port}"}
    assert "substation1" not in by_name.ask("GET", "/substations", foreign).text


def test_through_nginx_with_proxy_pass_alone_the_own_page_may_charge_and_no_other(
    start: Start, open_grid: Grid
) -> None:
    proxy = start(PlainNginx, open_grid)

    def post(origin: str, path: str = "/charge", **options: object) -> int:
        name = origin.partition("://")[2].partition(":")[0] or "localhost"
        return Caller(proxy, name=name).ask("POST", path, {"Origin": origin}, **options).status_code

    def charged() -> float:
        return scrape(open_grid.url).get('charge_requests_total{status="200"}', 0)

    own = ("127.0.0.1", "192.168.1.5", "raspberry", "grid.local")
    for name in own:
        assert post(f"http://{name}:{proxy.port}", json={"kwh": 1}) == 200
    rush = {"json": {"vehicles": 1, "over_s": 600}}
    assert post(f"http://raspberry:{proxy.port}", "/rush-hour", **rush) == 202
    assert Caller(proxy).ask("DELETE", "/rush-hour", {"Origin": "http://raspberry"}).ok
    assert charged() == len(own)

    # A page that had its own name lead here.
    assert post(f"http://elsewhere.example:{proxy.port}", json={"kwh": 1}) == 403
    assert post("http://elsewhere.example", "/rush-hour", **rush) == 403
    # A page of another site, whose browser sends such a request without asking first.
    assert post("http://192.168.1.66", data="") == 403
    assert post("http://192.168.1.66", data="kwh=1") == 403
    assert post("null", json={"kwh": 1}) == 403
    assert charged() == len(own)
