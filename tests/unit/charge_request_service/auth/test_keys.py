"""API keys: how they are made, listed, compared, and followed as their file changes."""

import os
import re
from hmac import compare_digest
from pathlib import Path
from unittest.mock import Mock

import pytest

from charge_request_service.auth import keys
from charge_request_service.auth.key_file import KeyFile, read_keys
from charge_request_service.auth.keys import KeyRing, KeysError, make_key
from tests.support.logs import captured_log


def test_a_key_that_was_made_is_known_by_its_line() -> None:
    (ours, our_line), (theirs, their_line) = make_key("ours"), make_key("theirs")
    ring = KeyRing.parse(f"# who\n\n  {our_line}  \r\n{their_line.upper().replace('THEIRS', 'b')}")

    assert ring.holder(ours) == "ours"
    assert ring.holder(theirs) == "b"
    assert ours not in our_line
    assert len({make_key("same")[0] for _ in range(100)}) == 100


def test_an_operators_key_is_reported_by_its_line() -> None:
    (_, plain), (_, operator) = make_key("ops"), make_key("chief", operator=True)
    ring = KeyRing.parse(f"{plain}\n{operator}")

    assert ring.operators == {"chief"}
    assert operator.endswith(":operator")


@pytest.mark.parametrize("wrong", ["", "x", "ops", "ключ", "\udc80", "k" * 8000])
def test_an_invalid_key_has_no_holder(wrong: str) -> None:
    key, line = make_key("ops")
    ring = KeyRing.parse(line)

    assert ring.holder(wrong) is None
    assert ring.holder(line.partition(":")[2]) is None  # the hash is not the key
    assert ring.holder(key[:-1]) is None
    assert ring.holder(key + "x") is None


def test_every_entry_is_compared_in_constant_time_over_digests_of_one_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [make_key(f"key{number}") for number in range(5)]
    ring = KeyRing.parse("\n".join(line for _, line in made))
    compare = Mock(wraps=compare_digest)
    monkeypatch.setattr(keys, "compare_digest", compare)

    for presented in (made[0][0], made[4][0], "wrong", "w" * 5000):
        compare.reset_mock()
        ring.holder(presented)
        lengths = [tuple(map(len, digests)) for digests, _ in compare.call_args_list]
        assert lengths == [(32, 32)] * 5


A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it has no key; `python -m charge_request_service.keys NAME` makes one"),
        ("# nothing\n\n", "it has no key"),
        (f"ops:{A}\nhunter2", "line 2 is not `name:sha256`"),
        (f"ops {A}", "line 1 is not"),
        (f":{A}", "line 1 is not"),
        (f"o ps:{A}", "line 1 is not"),
        (f"{'n' * 65}:{A}", "line 1 is not"),
        (f"ops:{A}a", "line 1 is not"),
        (f"ops:{'g' * 64}", "line 1 is not"),
        (f"ops:{A}\nops:{B}", "line 2 repeats the name ops; each key has its own name"),
        (f"ops:{A}\nown:{A}", "line 2 has the key of ops; remove one of them"),
        (
            "\n".join(f"k{n}:{n:064x}" for n in range(1001)),
            "line 1001 is over the limit of 1000 keys",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_line_without_showing_it(
    text: str, says: str
) -> None:
    with pytest.raises(KeysError) as raised:
        KeyRing.parse(text)

    assert str(raised.value).startswith(says)
    assert not {"hunter2", A, B} & set(str(raised.value).split())


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "n" * 65, "é"])
def test_no_key_is_made_for_an_invalid_name(name: str) -> None:
    with pytest.raises(KeysError) as raised:
        make_key(name)
    assert str(raised.value) == (
        f"{name!r} is not a valid name for a key; it takes 1 to 64 characters of A-Z a-z 0-9 . _ -"
    )


def test_an_invalid_name_for_a_key_is_shown_short() -> None:
    with pytest.raises(KeysError, match=f"^'{'n' * 80}' is not a valid name"):
        make_key("n" * 81)


def test_a_key_is_marked_and_has_256_random_bits() -> None:
    key, _ = make_key("ops")
    assert re.fullmatch(r"evgrid_[A-Za-z0-9_-]{43}", key)


def test_a_thousand_keys_are_taken() -> None:
    assert len(KeyRing.parse("\n".join(f"k{n}:{n:064x}" for n in range(1000)))) == 1000


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    pipe, binary, large = tmp_path / "pipe", tmp_path / "binary", tmp_path / "large"
    os.mkfifo(pipe)
    binary.write_bytes(b"ops:\xff\xfe")
    large.write_bytes(b"#" * 1_048_577)

    for path, why in {
        tmp_path / "none": "no such file",
        tmp_path: "no such file",
        pipe: "no such file",  # would be waited for
        binary: "not UTF-8 text",
        large: "over 1048576 bytes",
    }.items():
        with pytest.raises(KeysError, match=why):
            read_keys(path)


class Followed:
    """A file of keys and a ring that follows it, on a clock of its own."""

    def __init__(self, path: Path) -> None:
        self.now = 0.0
        log, self.said = captured_log()
        self.path = path
        self.key, line = make_key("first")
        path.write_text(line)
        self.ring = KeyFile(path, log, clock=lambda: self.now)

    def holder_after_a_second(self, key: str) -> str | None:
        self.now += 1.0
        return self.ring.holder(key)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "keys")


def test_a_change_is_followed_within_a_second(followed: Followed) -> None:
    other, line = make_key("other")
    followed.path.write_text(line)

    assert followed.ring.holder(followed.key) == "first"  # not looked at for each request
    assert followed.holder_after_a_second(other) == "other"
    assert followed.ring.holder(followed.key) is None
    assert followed.said == [
        {
            "event": "API keys reloaded",
            "log_level": "info",
            "file": str(followed.path),
            "keys": 1,
        }
    ]


def test_who_is_an_operator_is_followed_too(followed: Followed) -> None:
    assert not followed.ring.is_operator("first")

    key, line = make_key("chief", operator=True)
    followed.path.write_text(line)

    assert followed.holder_after_a_second(key) == "chief"
    assert followed.ring.is_operator("chief")
    assert not followed.ring.is_operator("first")


def test_a_file_that_is_replaced_and_one_of_the_same_size_are_changes(followed: Followed) -> None:
    for name in ("newer", "again"):
        key, line = make_key(name)
        beside = followed.path.with_suffix(".new")
        beside.write_text(line)
        beside.rename(followed.path)

        assert followed.holder_after_a_second(key) == name


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (
            "hunter2\n",
            "line 1 is not `name:sha256`, a name of 1 to 64 characters of A-Z a-z 0-9 . _ - and "
            "the SHA-256 of the key in 64 hexadecimal digits, optionally followed by "
            "`:operator`",
        ),
        (
            "",
            "it has no key; `python -m charge_request_service.keys NAME` makes one and its line",
        ),
        (None, "there is no such file"),
    ],
)
def test_a_file_that_breaks_leaves_the_old_keys_and_is_said_once(
    followed: Followed, broken: str | None, why: str
) -> None:
    if broken is None:
        followed.path.unlink()
    else:
        followed.path.write_text(broken)

    for _ in range(3):
        assert followed.holder_after_a_second(followed.key) == "first"
    [said] = followed.said
    assert said == {
        "event": "API keys not reloaded",
        "log_level": "error",
        "file": str(followed.path),
        "reason": why,
        "in_force": "the 1 keys read before",
    }

    key, line = make_key("mended")
    followed.path.write_text(line)
    assert followed.holder_after_a_second(key) == "mended"


def test_the_file_is_looked_at_once_a_second_however_many_ask(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Mock(wraps=os.stat)
    monkeypatch.setattr("grid_common.followed_file.os.stat", look)

    for _ in range(1000):
        followed.now += 0.005
        followed.ring.holder("anything")

    assert look.call_count in (4, 5)
