"""Runs the migrations in one transaction; several gateways may start at once."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0001"
_VERSIONS = "alembic_version"
# An arbitrary number that no other application uses on the same PostgreSQL server.
_LOCK = 5_124_078_893


class NewerLedger(Exception):
    """The ledger was written by a newer version of the gateway."""


def migrate(connection: Connection) -> None:
    """Run the missing migrations.

    Args:
        connection: in a transaction (on SQLite an immediate one), for which others wait.

    Raises:
        NewerLedger: the ledger's last migration is unknown to this version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = None
    if inspect(connection).has_table(_VERSIONS):
        version = connection.scalar(text(f"SELECT version_num FROM {_VERSIONS}"))  # noqa: S608
    if version == HEAD:
        return
    # Imported only if needed.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    folder = Path(__file__).parent
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerLedger(str(error)) from None
