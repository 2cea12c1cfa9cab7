"""Alembic's entry: runs the migrations on the connection that `store.upgrade` hands over."""

from alembic import context
from sqlmodel import SQLModel

import store.tables  # noqa: F401  fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
