"""What people have set for themselves, and the way to their own runs.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("repo", sa.Text()),
        sa.Column("branch", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("notify", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("first_seen", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "user", name="pk_users"),
    )
    op.create_index("ix_runs_workspace_requester_seq", "runs", ["workspace", "requester", "seq"])


def downgrade() -> None:
    op.drop_index("ix_runs_workspace_requester_seq", table_name="runs")
    op.drop_table("users")
