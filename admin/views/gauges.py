"""The rate budget of a connection as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from admin.views.words import later
from profiles.db import Database, now
from profiles.models import Connection
from profiles.wiring import budgets

_LABELS = (later("Reads"), later("Writes"))  # what connectors call their limits


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """One limit of a vendor. `resets_at` None: its last known window is over, so all calls are there again."""

    label: str
    left: int
    limit: int
    reserve: int
    resets_at: datetime | None

    @property
    def percent(self) -> int:
        return round(100 * self.left / self.limit) if self.limit else 0

    @property
    def tone(self) -> str:
        return "bad" if self.left <= self.reserve else "warn" if self.percent < 25 else "good"


def gauges(database: Database, row: Connection) -> list[Gauge]:
    """Every limit that the connector declares and that was heard of; empty where nothing is known."""
    moment = now()
    return [
        Gauge(
            label=one.label,
            left=one.left if one.resets_at > moment else one.limit,
            limit=one.limit,
            reserve=one.reserve,
            resets_at=one.resets_at if one.resets_at > moment else None,
        )
        for one in budgets(database, row)
    ]
