"""The gateway's access control in the app: what is guarded, what is open. No sockets."""

from pathlib import Path
from typing import Any

import pytest
from flask import Response, g
from flask.testing import FlaskClient
from werkzeug.test import create_environ, run_wsgi_app

from charge_request_service.app import create_app
from charge_request_service.auth import key_file
from charge_request_service.auth.guard import OPEN, UNLIMITED
from charge_request_service.auth.keys import make_key
from charge_request_service.settings import Settings
from grid_common.service import ServiceApp
from tests.support.logs import logged

KEY, LINE = make_key("ops")
BEARER = {"Authorization": f"Bearer {KEY}"}


def app_with(tmp_path: Path | None = None, *, lines: str = LINE, **settings: Any) -> ServiceApp:
    """Build a gateway, with keys where there is a folder to keep them in."""
    if tmp_path is not None:
        file = tmp_path / "keys"
        file.write_text(lines)
        settings["charge_api_keys_file"] = file
    # Nothing answers there: who is let in gets a 503 or an answer of the gateway itself.
    return create_app(Settings(balancer_url="http://127.0.0.1:9", max_wait=0, **settings))


def ask(client: FlaskClient, rule: str, method: str, **options: Any) -> int:
    path = rule.replace("<name>", "style.css")
    return client.open(path, method=method, **options).status_code


def routes(app: ServiceApp) -> list[tuple[str, str]]:
    return [
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
    ]


def test_without_a_key_only_what_is_named_open_can_be_had(tmp_path: Path) -> None:
    app = app_with(tmp_path)
    client = app.test_client()
    found = routes(app)

    refused = {rule for rule, method in found if ask(client, rule, method) == 401}

    assert refused == {
        "/charge",
        "/substations",
        "/substations/<path:name>/drain",
        "/totals",
        "/history",
        "/decisions",
        "/balancers",
        "/rush-hour",
        "/sessions",
        "/sessions/<session_id>",
        "/sessions.csv",
        "/sessions.json",
    }
    assert {rule for rule, _ in found} - refused == OPEN
    assert client.get("/no-such-page").status_code == 401


def test_with_a_key_everything_can_be_had(tmp_path: Path) -> None:
    app = app_with(tmp_path)
    client = app.test_client()

    assert 401 not in {ask(client, *route, headers=BEARER) for route in routes(app)}


def test_without_configured_keys_no_caller_needs_one() -> None:
    app = app_with()
    client = app.test_client()

    assert 401 not in {ask(client, *route) for route in routes(app)}
    assert client.get("/rush-hour", headers={"Authorization": "Bearer any"}).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "KEY", "Basic KEY", "BearerKEY", "Digest Bearer KEY"]
)
def test_who_brings_no_key_is_challenged(tmp_path: Path, header: str | None) -> None:
    client = app_with(tmp_path).test_client()
    headers = {} if header is None else {"Authorization": header.replace("KEY", KEY)}

    answer = client.post("/charge", headers=headers)

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ev-grid"'
    document = answer.get_json()
    assert document["type"] == "urn:ev-grid:problem:unauthorized"
    assert "Authorization: Bearer" in document["detail"]


def test_a_wrong_key_is_reported_from_none_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = app_with(tmp_path, log_format="json").test_client()

    answer = client.post("/charge", headers={"Authorization": "Bearer hunter2"})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ev-grid", error="invalid_token"'
    said = capsys.readouterr().out
    assert '"event":"unauthorized"' in said
    assert '"address":"127.0.0.1"' in said
    assert "hunter2" not in said + answer.text


@pytest.mark.parametrize("header", ["bearer KEY", "BEARER  KEY "])
def test_the_scheme_is_read_without_its_case(tmp_path: Path, header: str) -> None:
    client = app_with(tmp_path).test_client()

    bearer = {"Authorization": header.replace("KEY", KEY)}

    assert client.get("/rush-hour", headers=bearer).status_code == 200


def test_a_rate_is_counted_by_key_or_else_by_address_and_apart_for_what_is_open(
    tmp_path: Path,
) -> None:
    client = app_with(tmp_path, rate_limit="3/minute").test_client()

    def get(path: str = "/rush-hour", *, to: str = "10.0.0.1", **options: Any) -> int:
        return client.get(path, environ_base={"REMOTE_ADDR": to}, **options).status_code

    assert [get() for _ in range(4)] == [401, 401, 401, 429]  # guesses are limited too
    assert get(to="10.0.0.2") == 401
    assert [get(headers=BEARER) for _ in range(4)] == [200, 200, 200, 429]
    assert get(headers=BEARER, to="10.0.0.3") == 429  # the key's limit, wherever it comes from
    assert [get(path) for path in ("/metrics", "/", "/openapi.json", "/")] == [200, 200, 200, 429]
    assert get("/readyz") == get("/control-room/main.js", headers=BEARER) == 429
    assert get("/metrics", to="10.0.0.2") == 200
    assert [get("/healthz") for _ in range(9)] == [200] * 9

    limited = client.get("/rush-hour", headers=BEARER)
    assert limited.headers["Retry-After"] == "20"
    assert limited.content_type == "application/problem+json"
    assert limited.get_json()["type"] == "urn:ev-grid:problem:rate-limited"
    assert "The limit is 3/minute" in limited.get_json()["detail"]


def test_the_addresses_of_one_ipv6_network_are_one_caller() -> None:
    client = app_with(rate_limit="1/minute").test_client()

    def get(address: str) -> int:
        return client.get("/rush-hour", environ_base={"REMOTE_ADDR": address}).status_code

    assert get("2001:db8:0:1::1") == 200
    assert get("2001:db8:0:1:ffff::2") == 429
    assert get("2001:db8:0:2::1") == 200
    assert get("::ffff:10.0.0.1") == 200
    assert get("10.0.0.1") == 429


def test_a_foreign_host_name_is_misdirected_unless_listed_or_keys_are_required(
    tmp_path: Path,
) -> None:
    def ask_by(name: str, app: ServiceApp, path: str = "/rush-hour") -> int:
        return app.test_client().get(path, headers={"Host": name, **BEARER}).status_code

    assert ask_by("elsewhere.example", app_with()) == 421
    assert ask_by("elsewhere.example", app_with(), "/") == 421
    assert ask_by("localhost:8080", app_with()) == 200
    assert ask_by("grid.example", app_with(allowed_hosts="grid.example")) == 200
    assert ask_by("elsewhere.example", app_with(allowed_hosts="grid.example")) == 421
    assert ask_by("grid.example", app_with(tmp_path)) == 200
    assert ask_by("elsewhere.example", app_with(tmp_path, allowed_hosts="grid.example")) == 421


def test_a_page_of_a_name_that_is_the_gateways_may_charge_through_a_proxy_that_changes_the_host(
    tmp_path: Path,
) -> None:
    def post(origin: str, app: ServiceApp, path: str = "/charge") -> int:
        headers = {"Host": "127.0.0.1:8080", "Origin": origin, **BEARER}
        return app.test_client().post(path, json={"kwh": 0}, headers=headers).status_code

    let_in = 400  # for the body
    for path in ("/charge", "/rush-hour"):
        assert post("http://192.168.1.5", app_with(), path) == let_in
        assert post("https://grid.example", app_with(), path) == 403
        assert post("https://grid.example", app_with(allowed_hosts="grid.example"), path) == let_in
        assert (
            post(
                "https://grid.example",
                app_with(published_host="grid.example", open_to_all="yes-anyone-may-charge"),
                path,
            )
            == let_in
        )
        assert post("https://grid.example", app_with(tmp_path), path) == let_in
        listed = app_with(tmp_path, allowed_hosts="other.example")
        assert post("https://grid.example", listed, path) == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
def test_no_route_that_changes_anything_takes_a_request_of_another_sites_page(
    headers: dict[str, str],
) -> None:
    app = app_with()
    client = app.test_client()
    safe = {"GET", "HEAD", "OPTIONS"}
    found = routes(app)

    refused = {one for one in found if ask(client, *one, headers=headers) == 403}

    assert refused == {(rule, method) for rule, method in found if method not in safe}
    assert ("/charge", "POST") in refused


@pytest.mark.parametrize("setting", ["published_host", "bind_host"])
def test_the_name_that_it_is_published_by_is_its_own(setting: str, tmp_path: Path) -> None:
    def ask_by(name: str, folder: Path | None = None, **more: str) -> int:
        named = {setting: "Grid.example", "open_to_all": "yes-anyone-may-charge"}
        client = app_with(folder, **named, **more).test_client()
        return client.get("/rush-hour", headers={"Host": name, **BEARER}).status_code

    assert ask_by("grid.example:8080") == ask_by("GRID.example") == 200
    assert ask_by("elsewhere.example") == ask_by("www.grid.example") == 421
    assert ask_by("elsewhere.example", tmp_path) == 200  # it is no list of what else may pass
    assert ask_by("grid.example", tmp_path, allowed_hosts="other.example") == 200


def test_who_is_turned_away_leaves_little_behind_in_the_metrics(tmp_path: Path) -> None:
    app = app_with(tmp_path, rate_limit="1000/second")
    client = app.test_client()

    def size() -> int:
        return len(client.get("/metrics").text.splitlines())

    client.get("/no-such-page")
    for path in OPEN:
        ask(client, path, "GET")
    before = size()
    for rule, method in routes(app):
        ask(client, rule, method)
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
        client.open("/no-such-page", method=method)
        client.open("/charge", method=method)

    # A count and its time of birth each, and no histogram.
    assert size() - before <= 2 * len(routes(app))
    text = client.get("/metrics").text
    assert "BREW" not in text
    assert 'http_requests_total{method="other",route="unknown",status="401"}' in text
    assert 'http_request_duration_seconds_count{method="POST",route="/charge"}' not in text
    client.post("/charge", headers=BEARER)
    text = client.get("/metrics").text
    assert 'http_request_duration_seconds_count{method="POST",route="/charge"} 1.0' in text


def test_each_request_is_put_down_to_the_holder_of_its_key_who_may_be_an_operator(
    tmp_path: Path,
) -> None:
    chief, chief_line = make_key("chief", operator=True)
    app, plain = app_with(tmp_path, lines=f"{LINE}\n{chief_line}"), app_with()
    for one in (app, plain):
        one.add_url_rule("/who", view_func=lambda: {"caller": g.caller, "operator": g.operator})

    def who(app: ServiceApp, key: str | None = None) -> Any:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return app.test_client().get("/who", headers=headers).get_json()

    assert who(app, KEY) == {"caller": {"caller": "ops"}, "operator": False}
    assert who(app, chief) == {"caller": {"caller": "chief"}, "operator": True}
    assert who(plain) == {"caller": {}, "operator": True}  # without keys any sees all


def test_who_keeps_asking_without_a_key_is_logged_once_in_a_while(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = app_with(tmp_path, log_format="json").test_client()

    for address in ["10.0.0.1"] * 50 + ["2001:db8::1", "2001:db8::2"]:
        client.post("/charge", environ_base={"REMOTE_ADDR": address})

    said = [one for one in logged(capsys) if one["event"] == "unauthorized"]
    assert [(one["address"], one["not_logged"], one["level"]) for one in said] == [
        ("10.0.0.1", 0, "warning"),
        ("2001:db8::1", 0, "warning"),
    ]
    assert all(len(one["request_id"]) == 16 for one in said)


def test_a_rush_hour_is_put_down_to_who_began_and_who_stopped_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = app_with(tmp_path, log_format="json").test_client()

    client.post("/rush-hour", json={"vehicles": 1, "over_s": 600}, headers=BEARER)
    client.delete("/rush-hour", headers={**BEARER, "X-Request-ID": "stop"})

    said = {one["event"]: one for one in logged(capsys)}
    assert said["rush hour began"]["caller"] == "ops"
    assert said["rush hour stopped"]["caller"] == "ops"
    assert said["rush hour stopped"]["request_id"] == "stop"


def test_the_description_says_who_is_let_in(tmp_path: Path) -> None:
    app = app_with(tmp_path, rate_limit="600/minute")
    document = app.test_client().get("/openapi.json").get_json()

    assert document["components"]["securitySchemes"] == {
        "key": {"type": "http", "scheme": "bearer"}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            guarded = path not in OPEN
            assert ("security" in operation) == guarded
            assert ("401" in operation["responses"]) == guarded
            assert ("429" in operation["responses"]) == (path != UNLIMITED)
            assert "421" in operation["responses"]
    plain = app_with().test_client().get("/openapi.json").get_json()
    assert "securitySchemes" not in plain["components"]
    assert not any("security" in one for path in plain["paths"].values() for one in path.values())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_on_loopback_no_key_is_needed(host: str) -> None:
    assert Settings(bind_host=host).charge_api_keys_file is None
    assert Settings(bind_host="0.0.0.0", published_host=host).open_to_all == "no"  # noqa: S104 - not bound


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "grid.example"])  # noqa: S104 - not bound
def test_beyond_it_keys_or_an_explicit_setting_are_required(host: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(LINE)

    for settings in ({"bind_host": host}, {"published_host": host}):
        with pytest.raises(ValueError, match="admits other machines"):
            Settings(**settings)  # type: ignore[arg-type] # names of str settings
        Settings(**settings, charge_api_keys_file=file)  # type: ignore[arg-type] # as above
        Settings(**settings, open_to_all="yes-anyone-may-charge")  # type: ignore[arg-type] # as above


def test_who_is_misdirected_is_told_the_name_that_it_used() -> None:
    answer = app_with().test_client().get("/rush-hour", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 421
    assert "elsewhere.example" in answer.get_json()["detail"]


def test_nobody_is_an_operator_at_an_open_door(tmp_path: Path) -> None:
    app, seen = app_with(tmp_path), []

    def note(response: Response) -> Response:
        seen.append((g.caller, g.operator))
        return response

    app.after_request(note)
    app.test_client().get("/openapi.json", headers=BEARER)
    assert seen == [({}, False)]


def test_a_caller_without_an_address_needs_a_key_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_with(tmp_path, rate_limit="9/minute", log_format="json")
    environ = create_environ("/totals")
    environ.pop("REMOTE_ADDR", None)

    _, status, _ = run_wsgi_app(app, environ)

    assert status.startswith("401")
    assert [one["address"] for one in logged(capsys) if one["event"] == "unauthorized"] == [""]


def test_keys_that_are_read_again_are_logged_by_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(key_file, "_CHECK_INTERVAL_S", 0.0)
    client = app_with(tmp_path, log_format="json").test_client()
    key, line = make_key("another")
    (tmp_path / "keys").write_text(f"{LINE}\n{line}\n")

    answer = client.get("/rush-hour", headers={"Authorization": f"Bearer {key}"})

    assert answer.status_code == 200
    assert "API keys reloaded" in capsys.readouterr().out
