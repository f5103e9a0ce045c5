"""What SQLite has of its own, for PostgreSQL: 64-bit integers, a full-text index, notes of what was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_KINDS = (
    "asciiword, word, numword, asciihword, hword, numhword, hword_asciipart, hword_part, hword_numpart, int, uint, "
    "float, sfloat, version, email, url, url_path, host, file, protocol, tag, entity"
)
# As FTS5 has it: no accents, no case, words are letters and digits, Porter's stems, no stop-words left out. The words
# are a generated column, so that they cannot disagree with the text, whoever writes.
_PLAIN = r"""regexp_replace(
        regexp_replace(lower(normalize(written, NFKD) COLLATE "und-x-icu"), '[\u0300-\u036f]', '', 'g'),
        '[^[:alnum:]]+', ' ', 'g')"""
_FULL_TEXT = (
    "CREATE TEXT SEARCH DICTIONARY hmt_porter (TEMPLATE = snowball, LANGUAGE = porter)",
    "CREATE TEXT SEARCH CONFIGURATION hmt_words (PARSER = default)",
    f"ALTER TEXT SEARCH CONFIGURATION hmt_words ADD MAPPING FOR {_KINDS} WITH hmt_porter",
    f"CREATE FUNCTION hmt_plain(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {_PLAIN}",
    """CREATE FUNCTION hmt_words(written text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN to_tsvector('hmt_words'::regconfig, hmt_plain(written))""",
    "ALTER TABLE segments ADD COLUMN words tsvector GENERATED ALWAYS AS (hmt_words(text)) STORED",
    "CREATE INDEX segment_words ON segments USING gin (words)",
    "CREATE TABLE deletions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
)
# The planner would keep samples of these in its statistics, where no deletion reaches them.
_PRIVATE = {
    "segments": ("text", "token_ids", "words"),
    "pages": ("label", "boxes"),
    "memory_rows": ("row",),
    "documents": ("path", "title"),
    "document_metadata": ("content",),
    "jobs": ("path", "title", "error"),
    "conversations": ("title", "documents"),
    "turns": ("question", "about", "answer"),
    "turn_segments": ("token_ids", "row"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _change_integers(sa.BigInteger)
    for statement in _FULL_TEXT:
        op.execute(statement)
    for table, columns in _PRIVATE.items():
        for column in columns:
            op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STATISTICS 0')


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for kind in ("TABLE deletions", "INDEX segment_words"):
        op.execute(f"DROP {kind}")
    op.drop_column("segments", "words")
    for kind in (
        "FUNCTION hmt_words",
        "FUNCTION hmt_plain",
        "TEXT SEARCH CONFIGURATION hmt_words",
        "TEXT SEARCH DICTIONARY hmt_porter",
    ):
        op.execute(f"DROP {kind}")
    _change_integers(sa.Integer)


def _change_integers(kind: type[sa.Integer]) -> None:
    """SQLite's integers have 64 bits, and files, libraries and their numbers grow beyond 32."""
    inspector = sa.inspect(op.get_bind())
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version", "deletions"}):
        for column in inspector.get_columns(table):
            if isinstance(column["type"], sa.Integer):
                op.alter_column(table, column["name"], type_=kind(), existing_nullable=column["nullable"])
                if column["autoincrement"] and column["default"]:
                    kept = "bigint" if kind is sa.BigInteger else "integer"
                    op.execute(f"ALTER SEQUENCE {table}_{column['name']}_seq AS {kept}")
