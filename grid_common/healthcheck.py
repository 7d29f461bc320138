"""Check whether a service is healthy, for container health checks.

`python -m grid_common.healthcheck URL` exits with status 0 if the URL answers 200. Otherwise it
prints what it got and exits with 1, or with 2 if the arguments are wrong. It uses the standard
library only, because it runs every few seconds in every container.
"""

import http.client
import sys
from urllib.parse import urlsplit

_TIMEOUT_S = 2.0
_SHOWN_CHARACTERS = 300


def fault(url: str) -> str | None:
    """Return what is wrong with the service behind an http URL, or None if it answers 200.

    Raises:
        ValueError: the URL is not of the form http://host[:port]/path.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(
            f"{url!r} is not a URL to check; give one like http://127.0.0.1:8080/readyz"
        )
    # http.client, not urllib.request: it ignores proxies set in the environment.
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        if response.status == http.HTTPStatus.OK:
            return None
        body = response.read(_SHOWN_CHARACTERS).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error or type(error).__name__}"
    else:
        return f"{url} answered {response.status}: {body}"
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Check the given URL; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m grid_common.healthcheck URL\n")
        return 2
    try:
        problem = fault(arguments[0])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if problem is not None:
        sys.stdout.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
