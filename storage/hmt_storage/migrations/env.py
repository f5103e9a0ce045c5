"""Runs the migrations on the connection, and in the transaction, that `schema.py` hands over."""

from alembic import context

from hmt_storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=lambda name, kind, _parents: kind != "table" or not str(name).startswith("segment_words"),
)
with context.begin_transaction():
    context.run_migrations()
