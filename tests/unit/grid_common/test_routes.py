"""A wrong path or method is answered with the right one."""

import pytest

from grid_common.routes import nearest
from grid_common.service import ServiceApp
from grid_common.settings import ServiceSettings

KNOWN = ("/", "/charge", "/rush-hour", "/decisions", "/substations", "/healthz", "/openapi.json")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/charge/", "/charge"),
        ("/CHARGE", "/charge"),
        ("/chrage", "/charge"),
        ("/charges", "/charge"),
        ("/charging", "/charge"),
        ("/charge_request", "/charge"),
        ("/api/v1/charge", "/charge"),
        ("/charge/EV-31", "/charge"),
        ("//charge", "/charge"),
        ("/rush_hour", "/rush-hour"),
        ("/rushhours", "/rush-hour"),
        ("/health", "/healthz"),
        ("/substation", "/substations"),
        ("/stations", "/substations"),
        ("/openapi.yaml", "/openapi.json"),
        ("/favicon.ico", None),
        ("/nowhere", None),
        ("/", None),
        ("/é", None),
    ],
)
def test_the_path_that_was_meant_is_found(path: str, near: str | None) -> None:
    assert nearest(path, KNOWN) == near


def service() -> ServiceApp:
    settings = ServiceSettings.model_validate({"port": 0, "log_level": "error"})
    app = ServiceApp("service", settings, ready=lambda: None)

    @app.post("/charge")
    def charge() -> str:
        return ""

    @app.get("/items/<name>")
    def item(name: str) -> str:
        return name

    return app


def detail(method: str, path: str) -> str:
    answer = service().test_client().open(path, method=method)
    assert answer.content_type == "application/problem+json"
    said: str = answer.get_json()["detail"]
    return said


def test_a_path_that_is_not_there_names_the_nearest_with_its_method() -> None:
    assert detail("GET", "/charges") == (
        "There is no /charges here. Did you mean POST /charge? "
        "GET /openapi.json describes every path."
    )


def test_a_path_that_nothing_is_near_to_lists_what_there_is() -> None:
    said = detail("PUT", "/nowhere")

    assert "There are GET /healthz; GET /readyz; GET /metrics; POST /charge." in said
    assert "/openapi.json" in said


def test_a_method_that_is_not_taken_names_the_one_that_is() -> None:
    assert detail("GET", "/charge") == (
        "/charge does not take GET. Use POST /charge. GET /openapi.json describes every path."
    )
    assert "Use GET /items/7." in detail("DELETE", "/items/7")


@pytest.mark.parametrize("path", ["/" + "x" * 30_000, "/charge" * 4_000, "/" + "%0a" * 9_000])
def test_a_long_path_is_not_echoed(path: str) -> None:
    said = detail("GET", path)

    assert len(said) < 300
    assert said.isprintable()
