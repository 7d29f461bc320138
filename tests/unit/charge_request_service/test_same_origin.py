"""Who may start a rush hour: this page and programs, no page of another site."""

import pytest
from flask import Request
from werkzeug.test import create_environ

from charge_request_service.control_room.same_origin import CrossSite, refuse_cross_site

HOST = "localhost:8080"


def request_with(headers: dict[str, str]) -> Request:
    return Request(create_environ("/charge", f"http://{HOST}", method="POST", headers=headers))


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
    refuse_cross_site(request_with(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8080"},
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
        refuse_cross_site(request_with(headers))

    assert raised.value.status == 403
