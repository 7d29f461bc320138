"""The journal's format: complete, truncated or damaged."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from substation_service.journal_format import CorruptJournal, Kept, decode, encode, row
from substation_service.register import Reason, Register, State


def register(name: str = "s", kwh: float = 2.5, state: State = State.STOPPED) -> Register:
    one = Register(name, "EV", 10, 1000)
    one.state, one.ended_kwh, one.ended_at, one.grace_s = state, kwh, 1010, 60
    one.reason = Reason.CALLER if state is State.STOPPED else None
    one.charging_s, one.mean_power_kw, one.peak_power_kw = 10, 40, 50
    return one


def kept(*documents: dict[str, Any]) -> Kept:
    return Kept(decode([encode(document) for document in documents]))


LINES = [
    encode({"at": number, "registers": [row(register(f"s{number}"), None)]}) for number in range(5)
]
WHOLE = b"".join(LINES)


@given(length=st.integers(0, len(WHOLE)))
def test_the_complete_lines_of_a_truncated_file_count(length: int) -> None:
    lines = WHOLE[:length].splitlines(keepends=True)
    if 0 < length < len(LINES[0]):
        with pytest.raises(CorruptJournal):  # the first is put there whole
            list(decode(lines))
        return

    documents = list(decode(lines))

    ends = [len(b"".join(LINES[: number + 1])) for number in range(5)]
    assert [one["at"] for one in documents] == [
        number for number in range(5) if ends[number] <= length
    ]


# But for the newline before the last line: without it both are one, and that is not whole.
@given(at=st.integers(0, len(b"".join(LINES[:4])) - 2), byte=st.integers(0, 255))
def test_a_changed_byte_before_the_last_line_is_found(at: int, byte: int) -> None:
    changed = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    if changed == WHOLE:
        return

    with pytest.raises(CorruptJournal) as corrupt:
        list(decode(changed.splitlines(keepends=True)))

    begins = [len(b"".join(LINES[:number])) for number in range(5)]
    offset = max(begin for begin in begins if begin <= at)
    assert corrupt.value.offset == offset
    assert str(corrupt.value) == f"the line at byte {offset} does not match its checksum"


def test_a_register_comes_back_as_it_was() -> None:
    one = register()

    (again,), cut = kept({"at": 1, "registers": [row(one, None)]}).registers(1)

    assert cut == []
    left_out = {"charging", "callers", "grace_ends", "number", "noted", "owner", "request_id"}
    for name in set(Register.__slots__) - left_out - {"reported_kwh"}:
        assert getattr(again, name) == getattr(one, name), name


def test_the_last_reported_progress_counts_for_sessions_that_were_charging() -> None:
    one = register(kwh=2, state=State.CHARGING)
    one.ended_at = None

    (again,), cut = kept(
        {"at": 1020, "registers": [row(one, 1015.0)], "progress": {"s": 3.0}},
        {"at": 1025, "progress": {"s": 4.0}},
        {"at": 1026, "progress": {}},
    ).registers(360)

    assert cut == [(again, 2.0)]
    assert (again.state, again.reason) == (State.STOPPED, Reason.RESTARTED)
    assert (again.ended_kwh, again.charging_s, again.ended_at) == (4, 21, 1026)
    # 10 s at 40 kW before, then 2 kWh in 11 s, which are 1.1 h where an hour takes 10 s.
    assert again.mean_power_kw == pytest.approx((10 * 40 + 11 * 2 / 1.1) / 21)
    assert again.peak_power_kw == 50


def test_what_never_was_reported_in_this_attempt_has_what_it_had_before() -> None:
    one = register(kwh=2, state=State.CHARGING)

    (again,), cut = kept({"at": 1020, "registers": [row(one, 1020.0)]}).registers(360)

    assert (again.ended_kwh, cut) == (2, [(again, 0.0)])
    assert (again.charging_s, again.mean_power_kw) == (10, 40)


def test_what_never_was_reported_at_all_has_nothing() -> None:
    one = Register("s", "EV", 10, 1000)
    one.state, one.ended_kwh = State.CHARGING, 0.0

    (again,), cut = kept({"at": 1020.5, "registers": [row(one, 1020.0)]}).registers(360)

    assert cut == [(again, 0.0)]
    assert (again.ended_kwh, again.charging_s, again.mean_power_kw) == (0, 0.5, 0)
    (again,), _ = kept({"at": 1020, "registers": [row(one, 1020.0)]}).registers(360)
    assert (again.ended_kwh, again.charging_s, again.peak_power_kw) == (0, 0, 0)


def test_registers_come_in_the_order_of_their_ends() -> None:
    late, soon = register("late"), register("soon")
    late.ended_at, soon.ended_at = 1020, 1010

    found, _ = kept({"at": 1030, "registers": [row(late, None), row(soon, None)]}).registers(1)

    assert [one.session_id for one in found] == ["soon", "late"]


@pytest.mark.parametrize("ended_kwh", [5, 3])
def test_progress_from_before_an_end_does_not_count_for_a_later_attempt(ended_kwh: float) -> None:
    first, ended = register(kwh=0, state=State.CHARGING), register(kwh=ended_kwh)
    later = register(kwh=ended_kwh, state=State.CHARGING)

    found = kept(
        {"at": 1, "registers": [row(first, 1000.0)], "progress": {"s": 4.0}},
        {"at": 2, "registers": [row(ended, None)]},
        {"at": 3, "registers": [row(later, 1003.0)]},
    )

    (again,), _ = found.registers(360)
    assert again.ended_kwh == ended_kwh  # though it was more, as in the second case
    assert found.forgotten_kwh == 0  # it is the same session


def test_each_session_has_its_own_progress() -> None:
    charging = [register(name, 1, State.CHARGING) for name in "abc"]

    found, cut = kept(
        {
            "at": 1020,
            "registers": [row(one, 1010.0) for one in charging],
            "progress": {"a": 2.0, "b": 3.0},
        },
        {"at": 1021, "registers": [row(register("a", 2.5), None)]},
        {"at": 1022, "progress": {"c": 4.0}},
    ).registers(360)

    kwh = {one.session_id: one.ended_kwh for one in found}
    assert kwh == {"a": 2.5, "b": 3, "c": 4}
    assert {one.session_id: attempt_kwh for one, attempt_kwh in cut} == {"b": 2, "c": 3}


def test_progress_of_another_session_with_the_same_id_counts_only_for_that() -> None:
    first, second = register(kwh=1, state=State.CHARGING), register(kwh=0, state=State.CHARGING)
    second.began_at = 2000

    found = kept(
        {"at": 1, "registers": [row(first, 1000.0)], "progress": {"s": 4.0}},
        {"at": 2000, "registers": [row(second, 2000.0)]},
    )

    (again,), _ = found.registers(360)
    assert (again.ended_kwh, found.forgotten_kwh) == (0, 1)


def test_the_name_of_the_set_of_registers_is_kept() -> None:
    assert kept({"at": 1, "id": "a1", "forgotten_kwh": 0.0}, {"at": 2}).id == "a1"
    assert kept({"at": 1, "forgotten_kwh": 0.0}).id is None  # of a journal without


def test_another_session_of_the_same_name_leaves_the_first_in_the_sum() -> None:
    first, second = register(kwh=5), register(kwh=8)
    second.began_at = 2000

    found = kept(
        {"at": 1, "forgotten_kwh": 100.0},
        {"at": 2, "registers": [row(first, None)]},
        {"at": 3, "registers": [row(second, None)]},
    )

    (again,), _ = found.registers(1)
    assert (found.forgotten_kwh, again.ended_kwh) == (105, 8)


def test_what_was_reported_while_it_charged_stays_when_its_register_is_written_again() -> None:
    charging = register(kwh=0.0, state=State.CHARGING)
    charging.ended_at = None
    document = {"at": 1000, "registers": [row(charging, 1000)]}

    (again,), [(_, kwh)] = kept({**document, "progress": {"s": 1.5}}, document).registers(1)

    assert (again.ended_kwh, kwh) == (1.5, 1.5)
