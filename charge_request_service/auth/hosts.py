"""Checks the host names of requests, to prevent DNS rebinding.

A page of elsewhere.example can have its own name resolve to 127.0.0.1 a moment later. A visitor's
browser then takes this gateway for elsewhere.example: same origin, so no header reveals it, and the
page can read every response. But `Host` still contains the name that the browser used.

Such a name is the attacker's own name in the public DNS. So addresses always pass, and so do names
that cannot exist in the public DNS: those without a dot (a machine on the local network, a Compose
service) and those below top-level domains reserved for private use. Other names pass if they are
listed.

Flask's TRUSTED_HOSTS does not fit: Werkzeug accepts no underscore in a name
(charge_request_service), matches no IPv6 address, and has no way to allow any address.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII | re.IGNORECASE)
# Callers choose what is cached here, so the cache is bounded.
_REMEMBERED = 256
_PRIVATE = (".localhost", ".local", ".internal")


def read_names(text: str) -> tuple[str, ...]:
    """Parse comma-separated names; one that begins with a dot covers all names below it.

    Raises:
        ValueError: one is not a name, for example because it has a port.
    """
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is not a host name; it takes names without scheme and port, such "
                "as `grid.example`, or `.grid.example` for all names below it"
            )
    return names


class Hosts:
    """Checks whether a `Host` header is for this gateway."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Allow names that are not in the public DNS, and `names` as returned by `read_names`."""
        self._names = frozenset(names)
        self._suffixes = (*_PRIVATE, *(name for name in names if name.startswith(".")))
        self._known = lru_cache(_REMEMBERED)(self._look_at)

    def allows(self, host: str | None) -> bool:
        """Return whether a request may be for this gateway; browsers always send a `Host`."""
        return host is None or self._known(host)

    def _look_at(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower().removesuffix(".")
        last = name.rpartition(".")[2]
        # A single label, or an address: no top-level domain is a number.
        if last == name or last.isdigit() or name.startswith("["):
            return True
        return name in self._names or name.endswith(self._suffixes)
