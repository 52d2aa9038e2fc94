"""who asked for the dry run that a call was made for"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("data_log", sa.Column("dry_run_by", sa.String(128), nullable=True))


def downgrade() -> None:
    op.drop_column("data_log", "dry_run_by")
