"""The ledger's table, as the newest migration leaves it."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text

metadata = MetaData()
# Compared byte by byte, so that IDs sort by time whatever the locale of the database.
_id_type = Text().with_variant(Text(collation="C"), "postgresql")

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", _id_type, primary_key=True),
    Column("vehicle_id", Text),
    Column("kwh", Double, nullable=False),
    Column("max_power_kw", Double),
    Column("battery_kwh", Double),
    Column("soc", Double),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("key", Text),
    Column("digest", Text),
    Column("wait_s", Double, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended_us", BigInteger),
    Column("substation", Text),
    Column("attempts", Integer),
    Column("waited_s", Double),
    Column("charging_s", Double),
    Column("energy_kwh", Double),
    Column("mean_power_kw", Double),
    Column("peak_power_kw", Double),
    Column("legs", Text),
    Column("reason", Text),
    Column("status", Integer),
    Column("content_type", Text),
    Column("body", Text),
    Column("retry_after", Text),
)
_c = sessions.c

# The indexes: columns, and which sessions they cover. The fewer they cover, the cheaper each write.
# Vehicle IDs do not sort by time, so each one costs a page of its own.
for _name, _columns, _where in (
    ("sessions_vehicle", (_c.vehicle_id, _c.session_id), _c.vehicle_id.is_not(None)),
    ("sessions_open", (_c.session_id,), _c.ended_us.is_(None)),
    ("sessions_owned", (_c.owner, _c.session_id), _c.owner != ""),
    ("sessions_stopped", (_c.session_id,), _c.state == "stopped"),
    ("sessions_refused", (_c.session_id,), _c.state == "refused"),
    ("sessions_key", (_c.owner, _c.key), _c.key.is_not(None)),
    ("sessions_key_ended", (_c.ended_us,), _c.key.is_not(None)),
):
    Index(
        _name,
        *_columns,
        unique=_name == "sessions_key",
        sqlite_where=_where,
        postgresql_where=_where,
    )
