"""Which file has a task's complete output.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("log_file", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("tasks", "log_file")
