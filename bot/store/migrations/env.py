"""Alembic's entry: runs the revisions over the connection that ``bot.store.migrate`` hands in."""

from alembic import context

from bot.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by building it anew
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
