"""What callers know about documents; conversations with their turns and the memory of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_metadata",
        sa.Column("document_id", sa.String(12), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", name="pk_document_metadata"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_document_metadata_document_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("document_metadata")
