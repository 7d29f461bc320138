"""The control room over HTTP: headers, caching, and access control. No sockets."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import charge_request_service.control_room
from charge_request_service.app import create_app
from charge_request_service.settings import Settings

STATIC = Path(charge_request_service.control_room.__file__).parent / "static"
PATHS = ["/", *(f"/control-room/{one.name}" for one in STATIC.iterdir() if one.suffix != ".html")]


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    with create_app(Settings(log_level="error")).test_client() as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_everything_comes_with_a_policy_that_allows_nothing_from_elsewhere(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect", "img")} == {"'self'"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", PATHS)
def test_the_date_is_left_to_the_server(client: FlaskClient, path: str) -> None:
    assert "Date" not in client.get(path).headers  # two would reach the browser


@pytest.mark.parametrize("path", PATHS)
def test_what_the_browser_has_already_is_not_sent_again(client: FlaskClient, path: str) -> None:
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"
    assert "Content-Security-Policy" in again.headers


def test_the_page_has_nothing_inline_and_asks_for_no_file_that_is_missing(
    client: FlaskClient,
) -> None:
    page = client.get("/").text

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    named = re.findall(r'(?:src|href)="(control-room/[^"]+)"', page)
    for script in STATIC.glob("*.js"):
        text = script.read_text()
        named += [f"control-room/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
        assert "innerHTML" not in text
        assert "insertAdjacentHTML" not in text
    assert len(named) > 20
    assert {client.get(f"/{name}").status_code for name in named} == {200}


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "..%2f..%2fapp.py", "style.css/"])
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/control-room/{name}")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_another_site_can_neither_start_nor_stop_a_rush_hour(
    client: FlaskClient, method: str
) -> None:
    answer = client.open(
        "/rush-hour",
        method=method,
        json={"vehicles": 5},
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
    )

    assert answer.status_code == 403
    assert client.get("/rush-hour").get_json()["state"] == "idle"


def test_a_rush_hour_is_asked_for_in_json(client: FlaskClient) -> None:
    assert client.post("/rush-hour", data='{"vehicles": 5}').status_code == 415
    broken = client.post("/rush-hour", data="{", content_type="application/json")
    assert broken.status_code == 400
    assert broken.get_json()["errors"][0]["field"] == "body"
    large = client.post("/rush-hour", data=b" " * 100_000, content_type="application/json")
    assert large.status_code == 413


def test_there_is_nothing_to_stop_before_the_first(client: FlaskClient) -> None:
    answer = client.delete("/rush-hour")

    assert (answer.status_code, answer.get_json()["state"]) == (200, "idle")


def test_a_setting_turns_the_control_room_off() -> None:
    client = create_app(Settings(log_level="error", control_room=False)).test_client()

    for path in ("/", "/control-room/main.js", "/rush-hour"):
        assert client.get(path).status_code == 404
    assert client.post("/rush-hour", json={"vehicles": 5}).status_code == 404
    assert not {"/", "/rush-hour"} & set(client.get("/openapi.json").get_json()["paths"])
