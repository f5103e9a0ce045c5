"""The first tables, and the full-text index over the text of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The index keeps no copy of the text: it reads `segments`, and is told of each change, with the old text, by triggers.
# So the two cannot disagree, whoever writes. `memory_id` is indexed too: a question of a few documents then meets
# their lists first and never ranks the rest of the library.
_FULL_TEXT = (
    """CREATE VIRTUAL TABLE segment_words USING fts5(
        memory_id, text, content='segments', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER segment_words_added AFTER INSERT ON segments BEGIN
        INSERT INTO segment_words(rowid, memory_id, text) VALUES (new.id, new.memory_id, new.text);
    END""",
    """CREATE TRIGGER segment_words_removed AFTER DELETE ON segments BEGIN
        INSERT INTO segment_words(segment_words, rowid, memory_id, text)
        VALUES ('delete', old.id, old.memory_id, old.text);
    END""",
    """CREATE TRIGGER segment_words_changed AFTER UPDATE ON segments BEGIN
        INSERT INTO segment_words(segment_words, rowid, memory_id, text)
        VALUES ('delete', old.id, old.memory_id, old.text);
        INSERT INTO segment_words(rowid, memory_id, text) VALUES (new.id, new.memory_id, new.text);
    END""",
)


def upgrade() -> None:
    op.create_table(
        "memories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("setting", sa.String(), nullable=False),
        sa.Column("dtype", sa.String(), nullable=False),
        sa.Column("hidden", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("state_id", sa.String(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_memories"),
    )
    for name, condition in (("complete", "complete"), ("incomplete", "NOT complete")):
        op.create_index(
            f"uq_memories_{name}",
            "memories",
            ["sha256", "reader", "model_id"],
            unique=True,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "pages",
        sa.Column("memory_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("char_start", sa.Integer(), nullable=False),
        sa.Column("char_end", sa.Integer(), nullable=False),
        sa.Column("width", sa.Double(), nullable=False),
        sa.Column("height", sa.Double(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("boxes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("memory_id", "number", name="pk_pages"),
        sa.ForeignKeyConstraint(["memory_id"], ["memories.id"], name="fk_pages_memory_id", ondelete="CASCADE"),
    )
    op.create_table(
        "segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("memory_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("char_start", sa.Integer(), nullable=False),
        sa.Column("char_end", sa.Integer(), nullable=False),
        sa.Column("page_first", sa.Integer(), nullable=False),
        sa.Column("page_last", sa.Integer(), nullable=False),
        sa.Column("token_ids", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_segments"),
        sa.UniqueConstraint("memory_id", "number", name="uq_segments_memory_id_number"),
        sa.ForeignKeyConstraint(["memory_id"], ["memories.id"], name="fk_segments_memory_id", ondelete="CASCADE"),
    )
    op.create_table(
        "memory_rows",
        sa.Column("memory_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("memory_id", "number", name="pk_memory_rows"),
        sa.ForeignKeyConstraint(["memory_id"], ["memories.id"], name="fk_memory_rows_memory_id", ondelete="CASCADE"),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("renamed", sa.Boolean(), nullable=False),
        sa.Column("memory_id", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("collection", "path", name="uq_documents_collection_path"),
        sa.ForeignKeyConstraint(["memory_id"], ["memories.id"], name="fk_documents_memory_id"),
    )
    op.create_index("ix_documents_memory_id", "documents", ["memory_id"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("memory_id", sa.Integer(), nullable=True),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("run_started_at", sa.Double(), nullable=False),
        sa.Column("run_first_token", sa.Integer(), nullable=False),
        sa.Column("pages_total", sa.Integer(), nullable=False),
        sa.Column("pages_done", sa.Integer(), nullable=False),
        sa.Column("segments_done", sa.Integer(), nullable=False),
        sa.Column("tokens_done", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["memory_id"], ["memories.id"], name="fk_jobs_memory_id", ondelete="SET NULL"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_memory_id", "jobs", ["memory_id"])
    op.create_index("ix_jobs_collection_path", "jobs", ["collection", "path"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in _FULL_TEXT:
            op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS segment_words")
    for table in ("jobs", "documents", "memory_rows", "segments", "pages", "memories"):
        op.drop_table(table)
