"""What is known, while a record is written, of a record of another entity that it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from connector import Known, Options, SkipRecord, Written
from connector.records import Return
from profiles import models, sync
from profiles.db import Database
from tests.profiles import memory_trade as trade


def test_a_record_is_told_why_the_one_that_it_belongs_to_was_skipped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, told = trade.fresh(), {}
    office, market = trade.connections(database)
    orders = trade.profile(database, market, office, entity="order", name="Orders", direction="import")
    returns = trade.profile(database, market, office, entity="return", name="Returns", direction="import")
    twin = trade.profile(database, market, office, entity="order", name="Orders again", direction="import")

    def write(self: Any, record: Return, known: Known, options: Options) -> Written:
        told[record.order] = known.declined("order", record.order), known.linked("order", record.order)
        assert 0 <= known.age < 60
        if told[record.order][0] is not None:
            raise SkipRecord("its order was skipped")
        return Written(key=record.key, created=True, message="Written.")

    monkeypatch.setattr(trade.OfficeReturns, "write", write)
    for key in ("1", "2"):
        world.sell(key)
        world.send_back(f"R{key}", key)
    world.send_back("R3", "3")
    sync.run(database, orders)
    row = models.SyncRecord
    skipped = {"status": "skipped", "message": "A filter said no.", "target_id": None}
    with database.session() as session:
        session.execute(update(row).where(row.source_id == "2", row.profile_id == orders).values(**skipped))
    result = sync.run(database, returns)
    assert (result.counts["complete"], result.counts["skipped"]) == (2, 1)
    assert {key: why for key, (why, _) in told.items()} == {"1": None, "2": "A filter said no.", "3": None}
    assert told["2"][1] is None
    with database.session() as session:  # another profile may still bring it
        session.add(
            models.SyncRecord(
                profile_id=twin, source_id="2", status="pending", refs={}, created_at=sync.now(), updated_at=sync.now()
            )
        )
        session.execute(update(row).where(row.source_id == "R2").values(status="pending", forced=True))
    sync.run(database, returns)
    assert told["2"] == (None, None)
