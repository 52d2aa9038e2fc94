"""when a profile last looked for unfinished records"""

import sqlalchemy as sa
from alembic import op

import profiles.models

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("profile", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rechecked_at", profiles.models.Moment(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("profile", schema=None) as batch_op:
        batch_op.drop_column("rechecked_at")
