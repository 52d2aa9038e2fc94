"""A process that plans, claims and finishes without end, for tests that kill it: python -m tests.scheduler.planner.

Time is what the plan says: the clock stands at the earliest time that is not taken yet.
"""

from __future__ import annotations

from sqlalchemy import func, select

from profiles.db import Database
from profiles.models import Task
from profiles.workers import me
from scheduler import tasks
from scheduler.rows import PENDING, UNTAKEN


def plan_for_ever(database: Database) -> None:
    while True:
        with database.session() as session:
            at = session.scalar(select(func.min(Task.scheduled_at)).where(PENDING, UNTAKEN))
            taken = tasks.take_due(session, at) if at else []
        if at is None:
            continue
        with database.session() as session:
            tasks.bury_dead(session, at)
        for one in taken:
            with database.session() as session:
                epoch = tasks.claim(session, one.id, me(), at)
            if epoch is not None:
                with database.session() as session:
                    tasks.finish(session, one.id, epoch, "success", "Done.", at=at)


if __name__ == "__main__":
    plan_for_ever(Database())
