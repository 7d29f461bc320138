"""Values of others in messages: short, printable, spelled as in JSON."""

import pytest

from grid_common.http.shown import shown, shown_name
from tests.support.allocations import traced_allocations


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1}, "an object"),
        ([1], "a list"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (6, "6"),
        (0.5, "0.5"),
        ("six", "'six'"),
        ("é\n", r"'\xe9\n'"),
        ("x" * 40, f"'{'x' * 40}'"),
        ("x" * 41, f"'{'x' * 39}…"),
        (10**41, "1" + "0" * 41),
        (10**42, "1" + "0" * 39 + "…"),
    ],
)
def test_a_value_is_spelled_as_in_json_up_to_forty_characters(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_value_is_cut_at_the_given_limit() -> None:
    assert shown("abcdef", 5) == "'abcd…"
    assert shown("abcde", 5) == "'abcde'"
    assert shown(123456789, 5) == "12345…"
    assert shown_name("abcdef", 5) == "abcde…"


def test_of_a_long_value_no_more_is_read_than_is_shown() -> None:
    # Each of these takes six characters, so that what is cut off early still fills the limit.
    assert shown("\u202e" * 60_000) == "'" + r"\u202e" * 6 + r"\u2" + "…"


def test_what_is_shown_of_a_long_value_costs_no_more_than_of_a_short_one() -> None:
    value = "x" * 1_000_000
    with traced_allocations() as allocations:
        shown(value)
        shown_name(value)
        assert allocations.peak < 10_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kw", "kw"),
        ("k'w", "k'w"),
        ("é", r"\xe9"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 40 + "…"),
    ],
)
def test_a_name_is_shown_without_quotes_up_to_forty_characters(name: str, text: str) -> None:
    assert shown_name(name) == text
