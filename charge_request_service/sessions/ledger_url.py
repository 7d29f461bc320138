"""The setting LEDGER_URL: which database holds the ledger."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

# A URL's parameter that names a file with the password, such as a Docker secret.
_PASSWORD_FILE = "password_file"  # noqa: S105 - a name
_FORMS = "sqlite:////folder/file, postgresql://user:password@host/database, or sqlite:// for memory"


def read_ledger_url(text: str) -> URL:
    """Parse a ledger's URL.

    Raises:
        ValueError: it cannot be used; the message says what is accepted.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(f"it is not the URL of a database; it takes {_FORMS}") from None
    if url.drivername == "sqlite":
        if url.host or url.query:
            raise ValueError(
                "the URL of a SQLite file has three slashes before a relative path or four before "
                f"an absolute one, and nothing after the path; it takes {_FORMS}"
            )
        return url
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if not url.database:
            raise ValueError(f"it names no database; it takes {_FORMS}")
        return _with_password(url).set(drivername="postgresql+psycopg")
    raise ValueError(f"{url.drivername} is not supported for the ledger; it takes {_FORMS}")


def _with_password(url: URL) -> URL:
    """Insert the password from the URL's password file: many can read an environment variable.

    Raises:
        ValueError: the file cannot be read, or is empty.
    """
    file = url.query.get(_PASSWORD_FILE)
    if file is None:
        return url
    if url.password is not None or not isinstance(file, str):
        raise ValueError(f"it has more than one password; give one password or {_PASSWORD_FILE}")
    try:
        password = Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"its {_PASSWORD_FILE} {file} cannot be read: {why}") from None
    if not password:
        raise ValueError(f"its {_PASSWORD_FILE} {file} is empty")
    return url.difference_update_query([_PASSWORD_FILE]).set(password=password)
