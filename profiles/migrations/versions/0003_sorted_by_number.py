"""the index of the list of records sorted by their numbers"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sync_record_order", "sync_record", ["profile_id", sa.text("coalesce(source_number, '')"), "id"])


def downgrade() -> None:
    op.drop_index("ix_sync_record_order", "sync_record")
