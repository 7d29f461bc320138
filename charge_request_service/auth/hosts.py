"""The names that the gateway answers to, against DNS rebinding.

A page of elsewhere.example can have its own name lead to 127.0.0.1 a moment later. Its visitor's
browser then takes this gateway for elsewhere.example: same origin, so no header gives it away, and
the page reads every answer. The browser still says in `Host` which name it went by.

Such a name is the attacker's own in the public DNS. So addresses may always pass, and names that
the public DNS cannot hold: those without a dot (a machine of the own network, a Compose service)
and those below the top-level domains kept for private use. Others pass if they are listed.

Flask's TRUSTED_HOSTS would not do: Werkzeug knows no underscore in a name (charge_request_service),
matches no IPv6 address, and cannot be told "any address".
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII | re.IGNORECASE)
# Callers choose what is remembered here, so it is bounded.
_REMEMBERED = 256
_PRIVATE = (".localhost", ".local", ".internal")


def read_names(text: str) -> tuple[str, ...]:
    """Read names with commas between them; one that begins with a dot is for all names below it.

    Raises:
        ValueError: one is no name, as where it has a port.
    """
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is no name; it takes names without scheme and port, such as "
                "`grid.example`, or `.grid.example` for all names below it"
            )
    return names


class Hosts:
    """Tells which `Host` headers are for this gateway."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Take what is not of the public DNS, and `names` as `read_names` gives them."""
        self._names = frozenset(names)
        self._suffixes = (*_PRIVATE, *(name for name in names if name.startswith(".")))
        self._known = lru_cache(_REMEMBERED)(self._look_at)

    def allows(self, host: str | None) -> bool:
        """Tell whether a request may have been sent here; one without `Host` is no browser's."""
        return host is None or self._known(host)

    def _look_at(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower().removesuffix(".")
        last = name.rpartition(".")[2]
        # No dot, or an address: no top-level domain is a number.
        if last == name or last.isdigit() or name.startswith("["):
            return True
        return name in self._names or name.endswith(self._suffixes)
