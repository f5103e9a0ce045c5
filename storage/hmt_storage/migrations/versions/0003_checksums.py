"""A checksum for each page and for each segment's text, so that `verify` finds a flipped byte anywhere."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from hmt_storage.checksums import PageRow, SegmentRow

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("segments", "pages"):
        added = sa.Column("sha256", sa.LargeBinary(32), nullable=False, server_default=sa.text("''"))
        op.add_column(table, added)
    # The index is not told: its words stay what they are, and telling it would read the whole library into it again.
    written = _trigger()
    if written:
        op.execute("DROP TRIGGER segment_words_changed")
    _fill("segments", SegmentRow)
    _fill("pages", PageRow)
    if written:
        op.execute(written)


def downgrade() -> None:
    for table in ("segments", "pages"):
        op.drop_column(table, "sha256")


def _trigger() -> str:
    """SQLite's trigger as it was made; nothing on another database, which has none."""
    if op.get_bind().dialect.name != "sqlite":
        return ""
    trigger = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'segment_words_changed'"
    return op.get_bind().exec_driver_sql(trigger).scalar() or ""


def _fill(name: str, kind: type[SegmentRow] | type[PageRow]) -> None:
    columns: list[sa.ColumnClause[Any]] = [sa.column(field) for field in kind._fields]
    connection = op.get_bind()
    table = sa.table(name, sa.column("memory_id"), *columns, sa.column("sha256", sa.LargeBinary(32)))
    for memory, number in _keys(table):
        mine = (table.c.memory_id == memory) & (table.c.number == number)
        values: Any = connection.execute(sa.select(*columns).where(mine)).one()
        row = kind._make(values)
        op.execute(sa.update(table).where(mine).values(sha256=row.checksum))


def _keys(table: sa.TableClause) -> Iterator[sa.Row[int, int]]:
    """Read whole before the first change; the text, which is large, is not."""
    yield from op.get_bind().execute(sa.select(table.c.memory_id, table.c.number)).all()
