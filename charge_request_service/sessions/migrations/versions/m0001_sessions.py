"""The table of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and its indexes."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "sessions",
        sa.Column("session_id", name, primary_key=True),
        sa.Column("vehicle_id", sa.Text),
        sa.Column("kwh", sa.Double, nullable=False),
        sa.Column("max_power_kw", sa.Double),
        sa.Column("battery_kwh", sa.Double),
        sa.Column("soc", sa.Double),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("wait_s", sa.Double, nullable=False),
        sa.Column("began_us", sa.BigInteger, nullable=False),
        sa.Column("gateway", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("substation", sa.Text),
        sa.Column("attempts", sa.Integer),
        sa.Column("waited_s", sa.Double),
        sa.Column("charging_s", sa.Double),
        sa.Column("energy_kwh", sa.Double),
        sa.Column("mean_power_kw", sa.Double),
        sa.Column("peak_power_kw", sa.Double),
        sa.Column("legs", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("content_type", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("retry_after", sa.Text),
    )
    by_time = ["session_id"]
    _index("sessions_vehicle", ["vehicle_id", *by_time], "vehicle_id IS NOT NULL")
    _index("sessions_open", by_time, "ended_us IS NULL")
    _index("sessions_owned", ["owner", *by_time], "owner != ''")
    _index("sessions_stopped", by_time, "state = 'stopped'")
    _index("sessions_refused", by_time, "state = 'refused'")
    _index("sessions_key", ["owner", "key"], "key IS NOT NULL", unique=True)
    _index("sessions_key_ended", ["ended_us"], "key IS NOT NULL")


def _index(
    name: str, columns: list[str], where: str | None = None, *, unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        "sessions",
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
