"""How results are written."""

from benchmarks.harness.results import to_json


def test_numbers_stand_on_one_line() -> None:
    assert (
        to_json({"a": [1, 2.5, None], "b": [-3e-7]})
        == '{\n "a": [1, 2.5, null],\n "b": [-3e-07]\n}\n'
    )


def test_a_long_list_that_ends_in_another_value_is_written_at_once() -> None:
    """Each digit once doubled the time that such a list took."""
    values = [0.123456789012] * 200
    text = to_json([*values, float("nan")])
    assert text.split() == ["[", *["0.123456789012,"] * 200, "NaN", "]"]
