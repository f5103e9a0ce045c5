"""Leases, cancellation and finer progress for jobs; what a document's file looked like when it was hashed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# Added with a default each: SQLite would otherwise have to write the whole table anew.
def _of_jobs() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("page_share", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("tokens_total", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("heartbeat_at", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("lease_expires_at", sa.Double(), nullable=False, server_default=sa.text("0")),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def upgrade() -> None:
    for column in _of_jobs():
        op.add_column("jobs", column)
    # Leases of the version before ran for a minute from the last commit.
    op.execute("UPDATE jobs SET heartbeat_at = updated_at, lease_expires_at = updated_at + 60")
    op.execute("UPDATE jobs SET tokens_total = tokens_done WHERE state = 'done'")
    op.add_column("documents", sa.Column("stamp", sa.String(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_column("documents", "stamp")
    for column in _of_jobs():
        op.drop_column("jobs", column.name)
    op.execute("UPDATE jobs SET state = 'interrupted' WHERE state = 'cancelled'")
