"""The tables, and nothing else; what they are for is in their docstrings.

Narrow columns stand before wide ones: SQLite reads a row from its head and skips the text or blob it is not asked for.
Times are Unix seconds. What the databases have beside them is each one's own (SQLite a full-text table, PostgreSQL the
column `segments.words` and the table `deletions`): see the migrations, `fts5.py` and `tsvector.py`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, MetaData, String, UniqueConstraint, false
from sqlalchemy import text as _sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Holds the metadata that the migrations are compared with."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {int: BigInteger().with_variant(Integer, "sqlite")}  # noqa: RUF012 - SQLAlchemy's own way


class MemoryRecord(Base):
    """What one model read from some bytes; documents of equal bytes share it. Counters follow each committed segment.

    For one (sha256, reader, model_id) there is at most one complete memory, and at most one that is being written:
    so the same bytes can be read anew while questions are answered from what is there.
    """

    __tablename__ = "memories"
    __table_args__ = tuple(
        Index(
            f"uq_memories_{name}",
            "sha256",
            "reader",
            "model_id",
            unique=True,
            sqlite_where=_sql(condition),
            postgresql_where=_sql(condition),
        )
        for name, condition in (("complete", "complete"), ("incomplete", "NOT complete"))
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    reader: Mapped[str]
    model_id: Mapped[str]
    setting: Mapped[str]
    dtype: Mapped[str]
    hidden: Mapped[int]
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    segments: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    pages: Mapped[int] = mapped_column(default=0)
    characters: Mapped[int] = mapped_column(default=0)
    state_id: Mapped[str] = mapped_column(default="")
    complete: Mapped[bool] = mapped_column(default=False)


class PageRecord(Base):
    """Where a page stands in the text, and its word boxes as `packing.pack_boxes` wrote them.

    `sha256` is that of `checksums.PageRow`.
    """

    __tablename__ = "pages"

    memory_id: Mapped[int] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    char_start: Mapped[int]
    char_end: Mapped[int]
    width: Mapped[float]
    height: Mapped[float]
    label: Mapped[str]
    boxes: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), server_default=_sql("''"))


class SegmentRecord(Base):
    """The text of one segment and its tokens (little-endian uint32). `id` is the row id of the full-text index.

    Text and tokens are empty where the memory was imported without them. `sha256` is that of `checksums.SegmentRow`.
    """

    __tablename__ = "segments"
    __table_args__ = (UniqueConstraint("memory_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    memory_id: Mapped[int] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"))
    number: Mapped[int]
    char_start: Mapped[int]
    char_end: Mapped[int]
    page_first: Mapped[int]
    page_last: Mapped[int]
    token_ids: Mapped[bytes] = mapped_column(LargeBinary)
    text: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), server_default=_sql("''"))


class RowRecord(Base):
    """One memory row, apart from the text so that a question scans rows only. `sha256` is that of `row`."""

    __tablename__ = "memory_rows"

    memory_id: Mapped[int] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state_id: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    row: Mapped[bytes] = mapped_column(LargeBinary)


class DocumentRecord(Base):
    """A path and the complete memory it is answered from. `renamed`: the title is the user's and outlives a re-read.

    `stamp`: the file's cheap signs when its bytes were hashed, as ingestion wrote them; empty where they prove nothing.
    """

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("collection", "path"),)

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    collection: Mapped[str]
    path: Mapped[str]
    title: Mapped[str]
    renamed: Mapped[bool]
    memory_id: Mapped[int] = mapped_column(ForeignKey("memories.id"), index=True)
    added_at: Mapped[float]
    stamp: Mapped[str] = mapped_column(server_default=_sql("''"))


class MetadataRecord(Base):
    """What a caller knows about a document, as a JSON object; goes with it."""

    __tablename__ = "document_metadata"

    document_id: Mapped[str] = mapped_column(
        String(12), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[str]


class ConversationRecord(Base):
    """A conversation. `documents` is a JSON list of ids; the memory of its turns is of one model and number format.

    `owner` is a user's name, empty for whoever runs the library.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    title: Mapped[str]
    collection: Mapped[str | None]
    documents: Mapped[str]
    model_id: Mapped[str] = mapped_column(default="")
    dtype: Mapped[str] = mapped_column(default="")
    turns: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    updated_at: Mapped[float]
    owner: Mapped[str] = mapped_column(String(32), server_default=_sql("''"))


class TurnRecord(Base):
    """A question and its answer, as `chats` writes it: citations point at documents and hold no text of theirs.

    `sha256` is that of `checksums.TurnRow`.
    """

    __tablename__ = "turns"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    asked_at: Mapped[float]
    question: Mapped[str]
    about: Mapped[str]
    answer: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), server_default=_sql("''"))


class TurnSegmentRecord(Base):
    """A segment of what was said, its tokens and its memory row. `sha256` is that of `row`."""

    __tablename__ = "turn_segments"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state_id: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    token_ids: Mapped[bytes] = mapped_column(LargeBinary)
    row: Mapped[bytes] = mapped_column(LargeBinary)


class JobRecord(Base):
    """The latest ingestion of a path. `memory_id` is set while its memory is incomplete.

    `run` counts how often the job was taken up: it is the fencing token that stops an owner that was presumed dead.
    The `run_` columns say when the present run began and at which token, for its speed. `page_share` is how much has
    been read of the page after `pages_done`. An owner on another host counts as alive until `lease_expires_at`.
    """

    __tablename__ = "jobs"
    # A job's id is never given twice: an observer that asks for an old one must not see another.
    __table_args__ = (Index(None, "collection", "path"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    collection: Mapped[str]
    path: Mapped[str]
    title: Mapped[str]
    memory_id: Mapped[int | None] = mapped_column(ForeignKey("memories.id", ondelete="SET NULL"), index=True)
    document: Mapped[str] = mapped_column(default="")
    state: Mapped[str]
    owner: Mapped[str] = mapped_column(default="")
    run: Mapped[int] = mapped_column(default=0)
    run_started_at: Mapped[float]
    run_first_token: Mapped[int] = mapped_column(default=0)
    pages_total: Mapped[int] = mapped_column(default=0)
    pages_done: Mapped[int] = mapped_column(default=0)
    segments_done: Mapped[int] = mapped_column(default=0)
    tokens_done: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[float]
    updated_at: Mapped[float]
    error: Mapped[str] = mapped_column(default="")
    page_share: Mapped[float] = mapped_column(server_default=_sql("0"))
    tokens_total: Mapped[int] = mapped_column(server_default=_sql("0"))
    heartbeat_at: Mapped[float] = mapped_column(server_default=_sql("0"))
    lease_expires_at: Mapped[float] = mapped_column(server_default=_sql("0"))
    cancel_requested: Mapped[bool] = mapped_column(server_default=false())


class UserRecord(Base):
    """Somebody who may log in to the service. `password_hash` says itself how it was made."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    password_hash: Mapped[str]
    created_at: Mapped[float]


class KeyRecord(Base):
    """A session or an API token of a user. `sha256` is that of its secret, which is kept nowhere."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(String(32), ForeignKey("users.name", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    label: Mapped[str]
    created_at: Mapped[float]
    expires_at: Mapped[float]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
