"""Run by Alembic with the connection that `migrate` has begun a transaction on; ends no transaction of its own."""

from alembic import context

from support_api.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes most things of a table only by making it anew.
    render_as_batch=True,
)
context.run_migrations()
