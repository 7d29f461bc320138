"""API keys, of which only the SHA-256 is kept: who reads the file of keys has none of them.

A plain SHA-256, and no slow hash such as Argon2: those protect what people choose and others can
guess. A key made here is 256 random bits, beyond guessing at any speed, and each request pays for
the hash.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Self

# Marks a key for those who look for secrets in files and logs.
_PREFIX = "evgrid_"
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9A-Fa-f]{64})(:operator)?", re.ASCII)
# Each request is held against all of them, at less than 0.1 µs each.
_MAX_KEYS = 1000

NAME_HELP = "1 to 64 characters of A-Z a-z 0-9 . _ -"


class KeysError(ValueError):
    """A file of keys that cannot be used; the message names the line, never what stands there."""


class KeyRing:
    """The keys that are let in, by the names of their holders.

    Attributes:
        operators: the holders who see, and may stop, everybody's sessions.
    """

    def __init__(self, digests: Mapping[str, bytes], operators: Iterable[str] = ()) -> None:
        self._digests = dict(digests)
        self.operators = frozenset(operators)

    def __len__(self) -> int:
        return len(self._digests)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read lines of `name:sha256` or `name:sha256:operator`.

        Blank ones and those that begin with # are comments.

        Raises:
            KeysError: a line of another form, a name or key twice, no key, or too many.
        """
        names: dict[bytes, str] = {}
        operators = set()
        for number, line in enumerate(text.splitlines(), start=1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            found = _LINE.fullmatch(entry)
            if found is None:  # it may be a key itself, so it is not shown
                raise KeysError(
                    f"line {number} is not `name:sha256`, a name of {NAME_HELP} and the SHA-256 of "
                    "the key in 64 hexadecimal digits, with `:operator` behind it or nothing"
                )
            name, digest = found[1], bytes.fromhex(found[2])
            if name in names.values():
                raise KeysError(f"line {number} names {name} again; each key has its own name")
            if digest in names:
                raise KeysError(f"line {number} has the key of {names[digest]}; remove one of them")
            if len(names) == _MAX_KEYS:
                raise KeysError(f"line {number} is one too many: at most {_MAX_KEYS} are taken")
            names[digest] = name
            if found[3]:
                operators.add(name)
        if not names:
            raise KeysError(
                "it has no key; `python -m charge_request_service.keys NAME` makes one and its line"
            )
        return cls({name: digest for digest, name in names.items()}, operators)

    def holder(self, key: str) -> str | None:
        """Return the name of a key's holder, None if nobody has it.

        Digests of one length are compared in constant time, and always with every entry, so that
        the time taken tells neither how close a guess was nor which entry it met.
        """
        presented = sha256(key.encode(errors="surrogateescape")).digest()
        found = None
        for name, digest in self._digests.items():
            if compare_digest(digest, presented):
                found = name
        return found


def make_key(name: str, *, operator: bool = False) -> tuple[str, str]:
    """Make a key for a holder; return it and its line for the file of keys.

    Args:
        name: the holder's.
        operator: whether it sees, and may stop, everybody's sessions.

    Raises:
        KeysError: the name is not of the form that the file takes.
    """
    if not _NAME.fullmatch(name):
        raise KeysError(f"{name[:80]!r} is no name for a key; it takes {NAME_HELP}")
    key = f"{_PREFIX}{secrets.token_urlsafe(_KEY_BYTES)}"
    mark = ":operator" if operator else ""
    return key, f"{name}:{sha256(key.encode()).hexdigest()}{mark}"
