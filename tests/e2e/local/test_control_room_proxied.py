"""The control room behind an nginx that changes `Host`, by plain HTTP under a name of a LAN.

There a browser sends no `Sec-Fetch-Site`. What it lets pages of other site send, it alone decides:
so it is a real one.
"""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.e2e.local.conftest import NEIGHBOUR, OWN, REBOUND
from tests.e2e.local.control_room import go
from tests.support.deadline import eventually
from tests.support.proxies import Certificate, PlainNginx

# Each way in which a page can have its visitor's browser send something to another substation.
ATTACKS = """
async ([target, json]) => {
    const url = target + "/charge";
    const ways = [
        () => fetch(url, {method: "POST", mode: "no-cors"}),
        () => fetch(url, {method: "POST", mode: "no-cors", body: json}),
        () => fetch(url, {method: "POST", mode: "no-cors", body: new URLSearchParams({kwh: "1"})}),
        () => fetch(url, {method: "POST", body: json,
                          headers: {"Content-Type": "application/json"}}),
        () => fetch(url, {method: "POST", body: json, credentials: "include",
                          headers: {"Content-Type": "application/json"}}),
        () => fetch(target + "/rush-hour", {method: "DELETE"}),
        () => navigator.sendBeacon(url, new Blob([json], {type: "application/json"})),
        () => navigator.sendBeacon(url, json),
        () => {
            document.body.appendChild(document.createElement("iframe")).name = "answer";
            const form = document.body.appendChild(document.createElement("form"));
            Object.assign(form, {method: "post", action: url, target: "answer"}).submit();
        },
    ];
    for (const way of ways) try { await way() } catch {};
}
"""


@pytest.fixture(scope="module")
def grid(start_shared_grid: StartGrid) -> Grid:
    return start_shared_grid(env={"TIME_SCALE": "3600"})


@pytest.fixture(scope="module")
def port(grid: Grid, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where nginx listens, with nothing but `proxy_pass`."""
    folder = tmp_path_factory.mktemp("nginx")
    nginx = PlainNginx(folder / "nginx", grid.url.removeprefix("http://"), Certificate.make(folder))
    nginx.start()
    try:
        nginx.wait_until(nginx.listens, timeout_s=20)
        yield nginx.port
    finally:
        nginx.kill()


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another site's page."""
    folder = tmp_path_factory.mktemp("neighbour")
    (folder / "index.html").write_text("<!doctype html><title>neighbour</title><body>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type] # as given

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{NEIGHBOUR}:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def answers(grid: Grid, method: str, route: str) -> dict[str, float]:
    """Count the gateway's answers by status."""
    wanted = f'http_requests_total{{method="{method}",route="{route}",status="'
    return {
        name.removeprefix(wanted).removesuffix('"}'): value
        for name, value in scrape(grid.url).items()
        if name.startswith(wanted)
    }


def test_its_own_page_charges_and_starts_a_rush_hour(page: Page, grid: Grid, port: int) -> None:
    sent: list[Request] = []
    page.on("request", lambda one: sent.append(one) if one.method == "POST" else None)
    go(page, f"http://{OWN}:{port}/")
    expect(page.locator(".card")).to_have_count(3)

    page.get_by_role("textbox", name="Vehicle", exact=True).fill("EV-lan")
    page.get_by_role("button", name="Charge", exact=True).click()
    expect(page.locator("#charge-answer")).to_contain_text("EV-lan charged 10 kWh")
    page.get_by_role("textbox", name="Vehicles", exact=True).fill("5")
    page.get_by_role("textbox", name="Seconds", exact=True).fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rush-summary")).to_contain_text("all 5 charged", timeout=20_000)

    assert answers(grid, "POST", "/charge").keys() == {"200"}
    for one in sent:
        headers = one.all_headers()
        assert "sec-fetch-site" not in headers  # or this test would show nothing
        assert headers["origin"] == f"http://{OWN}:{port}"


@pytest.mark.parametrize("through", ["nginx", "no proxy"])
def test_a_page_of_another_site_has_its_visitor_charge_nothing(
    page: Page, grid: Grid, port: int, neighbour: str, through: str
) -> None:
    target = f"http://{OWN}:{port if through == 'nginx' else grid.gateway.port}"
    go(page, neighbour)
    charged = scrape(grid.url).get('charge_requests_total{status="200"}', 0)
    refused = answers(grid, "POST", "/charge").get("403", 0)
    asked = answers(grid, "OPTIONS", "/charge").get("200", 0)

    page.evaluate(ATTACKS, [target, '{"kwh": 1}'])

    def all_came() -> None:
        # What a form could send came, and was refused; for the rest the browser asked first.
        assert answers(grid, "POST", "/charge").get("403", 0) == refused + 5
        assert answers(grid, "OPTIONS", "/charge").get("200", 0) >= asked + 2

    eventually(all_came)
    assert scrape(grid.url).get('charge_requests_total{status="200"}', 0) == charged
    assert answers(grid, "DELETE", "/rush-hour") == {}


def test_a_page_that_had_its_own_name_lead_here_charges_nothing(
    page: Page, grid: Grid, port: int
) -> None:
    go(page, f"http://{REBOUND}:{port}/substations")
    charged = scrape(grid.url).get('charge_requests_total{status="200"}', 0)

    statuses = page.evaluate(
        """async () => {
            const json = {"Content-Type": "application/json"};
            const ways = [
                ["/charge", {method: "POST"}],
                ["/charge", {method: "POST", body: '{"kwh": 1}', headers: json}],
                ["/rush-hour", {method: "POST", body: '{"vehicles": 1}', headers: json}],
                ["/rush-hour", {method: "DELETE"}],
            ];
            return Promise.all(ways.map(async (way) => (await fetch(...way)).status));
        }"""
    )

    assert statuses == [403, 403, 403, 403]
    assert scrape(grid.url).get('charge_requests_total{status="200"}', 0) == charged
