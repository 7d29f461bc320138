"""Brings a ledger up to date, in one transaction; safe when several gateways start at once."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0001"
_VERSIONS = "alembic_version"
# Any number that nobody else takes on the same PostgreSQL server.
_LOCK = 5_124_078_893


class NewerLedger(Exception):
    """The ledger was written by a newer version of the gateway."""


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing.

    Args:
        connection: in a transaction, on SQLite an immediate one: others wait until it ends.

    Raises:
        NewerLedger: the ledger's last migration is not known here.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    version = None
    if inspect(connection).has_table(_VERSIONS):
        version = connection.scalar(text(f"SELECT version_num FROM {_VERSIONS}"))  # noqa: S608
    if version == HEAD:
        return
    # Here and not above: a gateway whose ledger is up to date has no use for it.
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
