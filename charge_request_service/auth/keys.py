"""API keys. Only their SHA-256 is stored, so that the key file does not reveal them.

A plain SHA-256, not a slow hash such as Argon2: slow hashes protect passwords, which can be
guessed. A key has 256 random bits, which cannot be guessed at any speed, and each request has to
compute the hash.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Self

# Lets secret scanners recognize a key in files and logs.
_PREFIX = "evgrid_"
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9A-Fa-f]{64})(:operator)?", re.ASCII)
# Each request is compared with all of them, at less than 0.1 µs each.
_MAX_KEYS = 1000

NAME_HELP = "1 to 64 characters of A-Z a-z 0-9 . _ -"


class KeysError(ValueError):
    """The key file is invalid; the message names the line, but never quotes it."""


class KeyRing:
    """The accepted keys, by the names of their holders.

    Attributes:
        operators: the holders who may see and stop everybody's sessions.
    """

    def __init__(self, digests: Mapping[str, bytes], operators: Iterable[str] = ()) -> None:
        self._digests = dict(digests)
        self.operators = frozenset(operators)

    def __len__(self) -> int:
        return len(self._digests)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse lines of `name:sha256` or `name:sha256:operator`.

        Blank lines are ignored, and those that begin with # are comments.

        Raises:
            KeysError: a malformed line, a duplicate name or key, no key, or too many.
        """
        names: dict[bytes, str] = {}
        operators = set()
        for number, line in enumerate(text.splitlines(), start=1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            found = _LINE.fullmatch(entry)
            if found is None:  # not quoted, because it may be a key
                raise KeysError(
                    f"line {number} is not `name:sha256`, a name of {NAME_HELP} and the SHA-256 of "
                    "the key in 64 hexadecimal digits, optionally followed by `:operator`"
                )
            name, digest = found[1], bytes.fromhex(found[2])
            if name in names.values():
                raise KeysError(f"line {number} repeats the name {name}; each key has its own name")
            if digest in names:
                raise KeysError(f"line {number} has the key of {names[digest]}; remove one of them")
            if len(names) == _MAX_KEYS:
                raise KeysError(f"line {number} is over the limit of {_MAX_KEYS} keys")
            names[digest] = name
            if found[3]:
                operators.add(name)
        if not names:
            raise KeysError(
                "it has no key; `python -m charge_request_service.keys NAME` makes one and its line"
            )
        return cls({name: digest for digest, name in names.items()}, operators)

    def holder(self, key: str) -> str | None:
        """Return the name of a key's holder, or None if the key is unknown.

        Digests of equal length are compared in constant time, and always with every entry. The time
        taken reveals neither how close a guess was nor which entry it matched.
        """
        presented = sha256(key.encode(errors="surrogateescape")).digest()
        found = None
        for name, digest in self._digests.items():
            if compare_digest(digest, presented):
                found = name
        return found


def make_key(name: str, *, operator: bool = False) -> tuple[str, str]:
    """Generate a key for a holder; return it and its line for the key file.

    An operator may see and stop everybody's sessions.

    Raises:
        KeysError: the name is invalid.
    """
    if not _NAME.fullmatch(name):
        raise KeysError(f"{name[:80]!r} is not a valid name for a key; it takes {NAME_HELP}")
    key = f"{_PREFIX}{secrets.token_urlsafe(_KEY_BYTES)}"
    mark = ":operator" if operator else ""
    return key, f"{name}:{sha256(key.encode()).hexdigest()}{mark}"
