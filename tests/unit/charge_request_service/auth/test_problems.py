"""The exact error messages for callers that are not admitted."""

from charge_request_service.auth.problems import (
    Misdirected,
    OperatorsOnly,
    RateLimited,
    Unauthorized,
)


def test_who_asks_too_often_is_reported_the_limit_and_when_to_come_back() -> None:
    limited = RateLimited("3/minute", retry_after_s=19.2)
    assert limited.document() == {
        "type": "urn:ev-grid:problem:rate-limited",
        "title": "Too many requests",
        "status": 429,
        "detail": "The limit is 3/minute per caller; try again in 20 s.",
    }
    assert limited.headers == {"Retry-After": "20"}
    assert RateLimited("3/minute", retry_after_s=0.01).headers == {"Retry-After": "1"}


def test_who_brings_no_key_is_reported_how_to_and_who_brings_another_that_it_is_not_known() -> None:
    without, wrong = Unauthorized(presented=False), Unauthorized(presented=True)
    assert without.detail == (
        "This gateway requires an API key: send yours in the header 'Authorization: Bearer KEY'. "
        "The operators of the gateway issue them."
    )
    assert without.headers == {"WWW-Authenticate": 'Bearer realm="ev-grid"'}
    assert wrong.detail == (
        "This API key is unknown or was revoked. Ask the operators of this gateway for one."
    )
    assert wrong.headers == {"WWW-Authenticate": 'Bearer realm="ev-grid", error="invalid_token"'}


def test_who_calls_another_name_is_reported_the_setting_that_lists_names() -> None:
    assert Misdirected("é.example").detail == (
        r"This gateway does not serve the name '\xe9.example'. If it should, list the name in its "
        "setting ALLOWED_HOSTS."
    )
    assert f"'{'x' * 80}'" in Misdirected("x" * 81).detail


def test_a_caller_that_is_not_an_operator_is_told_what_makes_one() -> None:
    assert OperatorsOnly().detail == (
        "This requires an operator's key: in the key file its line ends in `:operator`."
    )
