"""devices are found however their number is written"""

import sqlalchemy as sa
from alembic import op

import profiles.models
from connector.records import bare

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH = 1000


def upgrade() -> None:
    op.add_column("identifier", sa.Column("bare", profiles.models.Key(128), nullable=False, server_default=""))
    rows = sa.table("identifier", sa.column("id"), sa.column("value"), sa.column("bare"))
    change = sa.update(rows).where(rows.c.id == sa.bindparam("row")).values(bare=sa.bindparam("made"))
    connection, after = op.get_bind(), 0
    while found := connection.execute(
        sa.select(rows.c.id, rows.c.value).where(rows.c.id > after).order_by(rows.c.id).limit(BATCH)
    ).all():
        connection.execute(change, [{"row": row.id, "made": bare(row.value)} for row in found])
        after = found[-1].id
    op.create_index("ix_identifier_bare", "identifier", ["bare"])
    op.drop_index("ix_identifier_value", "identifier")


def downgrade() -> None:
    op.create_index("ix_identifier_value", "identifier", ["value"])
    op.drop_index("ix_identifier_bare", "identifier")
    op.drop_column("identifier", "bare")
