"""The parts of the services' app that are faster than Flask's behave the same."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    has_app_context,
    has_request_context,
    request,
)
from werkzeug.test import TestResponse

from grid_common.service import ServiceApp, ServiceResponse, json_response
from grid_common.settings import ServiceSettings


def service() -> ServiceApp:
    settings = ServiceSettings.model_validate({"port": 0, "log_level": "error"})
    return ServiceApp("service", settings, ready=lambda: None)


def with_routes(app: Flask) -> Flask:
    @app.get("/fixed")
    @app.get("/fixed/")
    def fixed() -> str:
        return f"{request.host} {request.endpoint} {request.view_args}"

    @app.post("/fixed")
    def posted() -> tuple[str, int]:
        return request.get_data(as_text=True), 201

    @app.get("/items/<int:number>")
    def item(number: int) -> str:
        return f"{number} {request.url_rule}"

    @app.get("/folder/")
    def folder() -> str:
        return "folder"

    @app.get("/streamed")
    def streamed() -> Response:
        return Response(iter(["a", "ä"]))

    @app.get("/kept")
    def kept() -> Response:
        response = Response("page", headers={"Cache-Control": "no-cache"})
        response.set_etag("tag")
        return response.make_conditional(request)  # type: ignore[return-value] # itself

    return app


def with_hooks(app: Flask) -> Flask:
    """Add routes that tell in which order what surrounds them was called."""
    called: list[str] = []

    def calls(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    def view() -> str:
        called.append("view")
        return "seen"

    def notes(name: str) -> Callable[[Response], Response]:
        def after(response: Response) -> Response:
            called.append(name)
            response.headers["ETag"] = " ".join(called)
            return response

        return after

    inner, outer = Blueprint("inner", "inner"), Blueprint("outer", "outer")
    for scaffold, name in ((inner, "inner"), (outer, "outer"), (app, "app")):
        for each in ("1", "2"):
            scaffold.before_request(calls(f"before-{name}-{each}"))
            scaffold.after_request(notes(f"after-{name}-{each}"))
    inner.add_url_rule("/inner", "index", view)
    outer.add_url_rule("/outer", "index", view)
    inner.before_request(lambda: "stopped" if request.args.get("stop") else None)

    app.add_url_rule("/top", "top", view)

    @app.get("/gone")
    def gone() -> str:
        abort(410)

    @app.get("/empty")  # type: ignore[type-var] # what no view may return
    def empty() -> None:
        return None

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def answer(app: Flask, method: str, path: str, **more: Any) -> tuple[int, bytes, dict[str, str]]:
    response: TestResponse = app.test_client().open(path, method=method, **more)
    alike, body = {"Location", "Allow", "ETag", "Cache-Control"}, response.data
    if response.status_code < 300 or response.status_code == 304:
        alike.add("Content-Type")
    else:
        body = b""  # ours explains its problems
    headers = {name: value for name, value in response.headers.items() if name in alike}
    return response.status_code, body, headers


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/fixed", {}),
        ("GET", "/fixed/", {}),
        ("GET", "/fixed?since=3", {}),
        ("GET", "/fixed", {"headers": {"Host": "grid.example:8080"}}),
        ("GET", "/fixed", {"headers": {"Host": "no name"}}),
        ("GET", "/fixed", {"headers": {"Host": "grid.example:99999"}}),
        ("GET", "/fixed", {"headers": {"Host": "a..b"}}),
        ("GET", "/fixed", {"headers": {"Host": "a" * 64}}),
        ("GET", "/fixed", {"headers": {"Connection": "Upgrade", "Upgrade": "websocket"}}),
        ("POST", "/fixed", {"data": b"body"}),
        ("OPTIONS", "/fixed", {}),
        ("DELETE", "/fixed", {}),
        ("POST", "/folder/", {}),
        ("GET", "/folder", {}),  # sent on to /folder/
        ("GET", "//fixed", {}),
        ("GET", "/items/7", {}),
        ("GET", "/items/seven", {}),
        ("GET", "/items/<int:number>", {}),
        ("GET", "/unknown", {}),
        ("BREW", "/fixed", {}),
        ("GET", "/streamed", {}),
        ("GET", "/kept", {}),
        ("GET", "/kept", {"headers": {"If-None-Match": '"tag"'}}),
    ],
)
def test_an_answer_is_that_of_flask(method: str, path: str, more: dict[str, Any]) -> None:
    ours = answer(with_routes(service()), method, path, **more)

    assert ours == answer(with_routes(Flask("plain", static_folder=None)), method, path, **more)


@pytest.mark.parametrize("path", ["/top", "/outer", "/inner", "/inner?stop=1", "/gone", "/empty"])
def test_what_is_called_around_a_view_is_called_in_the_order_of_flask(path: str) -> None:
    ours = answer(with_hooks(service()), "GET", path)

    assert ours == answer(with_hooks(Flask("plain", static_folder=None)), "GET", path)


def test_what_is_added_after_a_path_was_looked_up_is_called_too() -> None:
    app = with_routes(service())
    with app.test_request_context("/fixed"):
        pass
    app.before_request(lambda: ("refused", 401))

    assert app.test_client().get("/fixed").status_code == 401


@pytest.mark.parametrize("path", ["/fixed", "/items/7"])
def test_a_view_can_have_its_own_answer_changed(path: str) -> None:
    app = with_routes(service())

    @app.before_request
    def before() -> None:
        @after_this_request
        def after(response: Response) -> Response:
            response.headers["ETag"] = "changed"
            return response

    assert app.test_client().get(path).headers["ETag"] == "changed"


@pytest.mark.parametrize(
    "add",
    [
        lambda app: app.teardown_request(print),
        lambda app: app.teardown_appcontext(print),
        lambda app: app.url_value_preprocessor(print),
        lambda app: app.register_blueprint(with_teardown(Blueprint("part", "part"))),
    ],
)
@pytest.mark.parametrize("path", ["/fixed", "/items/7"])
def test_what_would_never_be_called_is_refused(add: Callable[[Flask], object], path: str) -> None:
    app = with_routes(service())
    add(app)

    with pytest.raises(RuntimeError, match="does not call such functions"):
        app.test_client().get(path)


def with_teardown(blueprint: Blueprint) -> Blueprint:
    blueprint.teardown_app_request(print)
    return blueprint


def test_a_request_can_be_asked_for_all_that_flasks_tells() -> None:
    reported = {}
    for app in (service(), Flask("plain")):
        with app.test_request_context("/a?b=c", method="PUT", headers={"X-Of": "1"}, json={"d": 1}):
            reported[type(app)] = {
                "method": request.method,
                "url": request.url,
                "args": request.args,
                "header": request.headers["X-Of"],
                "json": request.get_json(),
                "address": request.remote_addr,
                "odd": getattr(request, "odd", "none"),
            }

    assert reported[ServiceApp] == reported[Flask]


def test_a_request_leaves_nothing_behind() -> None:
    app = with_routes(service())
    app.test_client().get("/fixed")

    assert not has_request_context()
    assert not has_app_context()


def test_what_a_charged_vehicle_gets_is_handed_on_as_it_is() -> None:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    response = json_response({"status": "charged"})
    response.headers["X-Request-ID"] = "1"

    body = response({}, lambda status, headers, *_: started.append((status, headers)))  # type: ignore[arg-type] # nothing is written through it

    assert b"".join(body) == b'{"status":"charged"}'
    assert started == [("200 OK", [("Content-Type", "application/json"), ("X-Request-ID", "1")])]


def test_a_streamed_answer_is_closed_at_its_end() -> None:
    app, closed = service(), []

    @app.get("/stream")
    def stream() -> Response:
        response = Response(iter([b"piece"]))
        response.call_on_close(lambda: closed.append(True))
        return response

    with app.test_client().get("/stream") as answered:
        assert answered.data == b"piece"
    assert closed == [True]


def test_every_answer_of_a_service_is_its_own_kind() -> None:
    app = with_routes(service())
    with app.test_request_context("/fixed"):
        assert isinstance(app.full_dispatch_request(), ServiceResponse)
