"""A checksum for each turn of a conversation, so that `verify` finds a flipped byte in what was said."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from hmt_storage.checksums import TurnRow

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("sha256", sa.LargeBinary(32), nullable=False, server_default=sa.text("''")))
    columns: list[sa.ColumnClause[Any]] = [sa.column(field) for field in TurnRow._fields]
    table = sa.table("turns", sa.column("conversation_id"), *columns, sa.column("sha256", sa.LargeBinary(32)))
    connection = op.get_bind()
    # Keys are read whole before the first change; the texts, which may be many, are not.
    for conversation, number in connection.execute(sa.select(table.c.conversation_id, table.c.number)).all():
        mine = (table.c.conversation_id == conversation) & (table.c.number == number)
        row = TurnRow._make(connection.execute(sa.select(*columns).where(mine)).one())
        op.execute(sa.update(table).where(mine).values(sha256=row.checksum))


def downgrade() -> None:
    op.drop_column("turns", "sha256")
