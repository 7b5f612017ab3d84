"""What a person asked for in the last day is counted without looking at all that they ever asked for.

Revision: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_runs_workspace_requester_created_at_seq", "runs", ["workspace", "requester", "created_at", "seq"]
    )
    op.drop_index("ix_runs_workspace_requester_seq", table_name="runs")


def downgrade() -> None:
    op.create_index("ix_runs_workspace_requester_seq", "runs", ["workspace", "requester", "seq"])
    op.drop_index("ix_runs_workspace_requester_created_at_seq", table_name="runs")
