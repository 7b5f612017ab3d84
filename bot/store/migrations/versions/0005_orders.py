"""Processes tell each other what to do, and on PostgreSQL a job queue hands runs out to them.

Revision: 0005
"""

from importlib import resources

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
    )
    op.create_index("ix_orders_worker_id", "orders", ["worker", "id"])
    op.add_column("runs", sa.Column("job", sa.BigInteger()))
    if _on_postgresql():
        _execute(resources.files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8"))


def downgrade() -> None:
    if _on_postgresql():
        _execute(_WITHOUT_PROCRASTINATE)
    op.drop_column("runs", "job")
    op.drop_index("ix_orders_worker_id", table_name="orders")
    op.drop_table("orders")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _execute(script: str) -> None:
    """Several statements as they are: what stands in them is no placeholder of the driver's."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None  # noqa: S101  within a migration there is one
    connection.execute(script)


_WITHOUT_PROCRASTINATE = r"""
DROP TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs, procrastinate_workers CASCADE;
DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT oid FROM pg_proc WHERE proname LIKE 'procrastinate\_%' AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || made || ' CASCADE';
    END LOOP;
END;
$$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status CASCADE;
"""
