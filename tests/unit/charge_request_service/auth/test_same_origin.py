"""Who may charge or start a rush hour: this page and programs, no page of another site."""

import pytest
from flask import Request
from werkzeug.test import create_environ

from charge_request_service.auth.hosts import Hosts
from charge_request_service.auth.same_origin import CrossSite, refuse_cross_site

HOST = "localhost:8080"
# As a proxy calls it that does not pass on what the browser called.
REWRITTEN = "127.0.0.1:8080"
NAMED = Hosts(("grid.example",))
JSON = {"Content-Type": "application/json"}


def request_with(
    headers: dict[str, str], *, host: str = HOST, method: str = "POST", body: bytes = b""
) -> Request:
    environ = create_environ("/charge", f"http://{host}", method=method, headers=headers, data=body)
    return Request(environ)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://grid.example"},  # proxy changed Host
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost:8080"},  # no Sec-Fetch-Site without TLS but on localhost
        {"Origin": "https://localhost:8080"},
    ],
)
def test_the_own_page_and_programs_pass(headers: dict[str, str]) -> None:
    refuse_cross_site(request_with(headers), Hosts())


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8080", **JSON},
        {"Sec-Fetch-Site": "something new"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:8080.elsewhere.example"},
        {"Origin": "null"},  # a sandboxed frame, a local file
        {"Origin": ""},
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(CrossSite) as raised:
        refuse_cross_site(request_with(headers), Hosts())

    assert raised.value.status == 403


@pytest.mark.parametrize(
    ("origin", "hosts"),
    [
        ("http://192.168.1.5", NAMED),
        ("http://[fd00::5]:8081", NAMED),
        ("http://raspberry", NAMED),
        ("http://grid.local:8081", NAMED),
        ("https://grid.example", NAMED),
        ("https://elsewhere.example", None),  # any name, as where keys are needed
        ("https://elsewhere://example", None),
    ],
)
def test_the_own_page_passes_where_a_proxy_changed_the_host(
    origin: str, hosts: Hosts | None
) -> None:
    refuse_cross_site(
        request_with({"Origin": origin, **JSON}, host=REWRITTEN, body=b'{"kwh": 6}'), hosts
    )
    refuse_cross_site(request_with({"Origin": origin}, host=REWRITTEN, method="DELETE"), hosts)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "text/plain;charset=application/json",
    ],
)
@pytest.mark.parametrize("hosts", [NAMED, None])
def test_what_a_form_can_send_is_refused_where_the_host_is_another(
    content_type: str, hosts: Hosts | None
) -> None:
    headers = {"Origin": "http://192.168.1.66", "Content-Type": content_type}

    with pytest.raises(CrossSite, match=r"page of http://192\.168\.1\.66 sent the request"):
        refuse_cross_site(request_with(headers, host=REWRITTEN), hosts)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "http://www.grid.example", "http://a@localhost"]
)
def test_a_page_whose_name_was_led_here_is_refused_behind_a_proxy_too(
    origin: str, method: str
) -> None:
    with pytest.raises(CrossSite, match="ALLOWED_HOSTS"):
        refuse_cross_site(
            request_with({"Origin": origin, **JSON}, host=REWRITTEN, method=method), NAMED
        )


@pytest.mark.parametrize("hosts", [NAMED, None])
@pytest.mark.parametrize(
    "origin", ["null", "", "localhost", "file://", "chrome-extension://localhost", "://localhost"]
)
def test_an_invalid_origin_is_refused(origin: str, hosts: Hosts | None) -> None:
    with pytest.raises(CrossSite):
        refuse_cross_site(request_with({"Origin": origin, **JSON}, host=REWRITTEN), hosts)


def test_a_long_origin_is_not_echoed() -> None:
    with pytest.raises(CrossSite) as raised:
        refuse_cross_site(request_with({"Origin": "http://" + "x" * 30_000}), Hosts())

    assert len(raised.value.detail) < 500


def reported(headers: dict[str, str]) -> str:
    with pytest.raises(CrossSite) as raised:
        refuse_cross_site(request_with(headers), NAMED)
    return raised.value.detail


def test_what_another_sites_page_sent_is_reported_why_and_what_to_do() -> None:
    assert reported({"Sec-Fetch-Site": "cross-site"}) == (
        "A page of another site made this browser send the request. Use the control room that this "
        "gateway serves, or send it from a program."
    )
    rest = (
        " sent the request, which came to localhost:8080. If both are this gateway, configure "
        "the proxy in between to pass `Host` unchanged, or list the page's name in the gateway's "
        "setting ALLOWED_HOSTS and send a JSON body."
    )
    assert reported({"Origin": "https://elsewhere.example"}) == (
        f"The browser says that a page of https://elsewhere.example{rest}"
    )
    assert reported({"Origin": ""}) == f"The browser says that a page of no site{rest}"
    long = "https://" + "x" * 73
    assert reported({"Origin": long}).startswith(
        f"The browser says that a page of {long[:80]}… sent the request"
    )
    host = "y" * 81
    assert f"which came to {host[:80]}…. If" in reported({"Origin": "null", "Host": host})
