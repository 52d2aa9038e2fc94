"""A machine that changes orders, settings and troubles at random, and checks what must always hold."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connector import InDoubt, RecordFailed, RetryLater, StopRun, Unreachable
from profiles import history, models, sync
from profiles.db import Database
from profiles.models import SyncStatus
from tests.profiles.memory import fresh, profile, rows

TROUBLES: list[type[Exception]] = [InDoubt, RetryLater, RecordFailed, StopRun, Unreachable]
WORDS = {str(one) for one in SyncStatus}


class Killed(BaseException):
    """The worker's process ends here."""


class Machine(RuleBasedStateMachine):
    database: Database

    @initialize()
    def begin(self) -> None:
        self.world = fresh()
        with self.database.session() as session:
            for table in reversed(models.Base.metadata.sorted_tables):
                session.execute(table.delete())
        self.profile = profile(self.database, {"workers": 3, "batch_size": 4, "page_size": 3})
        self.lines = 0

    @rule(number=st.integers(1, 12), customer=st.sampled_from("abc"))
    def place(self, number: int, customer: str) -> None:
        if str(number) not in self.world.orders:
            self.world.place(str(number), customer=customer)

    @rule(number=st.integers(1, 12), status=st.sampled_from(["new", "paid"]))
    def change(self, number: int, status: str) -> None:
        if str(number) in self.world.orders:
            self.world.touch(str(number), status=status)

    @rule(wanted=st.sampled_from([[], ["new"], ["paid"]]), behaviour=st.sampled_from(["append", "replace"]))
    def configure(self, wanted: list[str], behaviour: str) -> None:
        with self.database.session() as session:
            row = session.get_one(models.Profile, self.profile)
            inner: dict[str, Any] = {**row.settings["global"], "status_filter": wanted, "api_behaviour": behaviour}
            row.settings = {**row.settings, "global": inner}
            row.settings_version += 1

    @rule(seed=st.integers(0, 10_000), rate=st.sampled_from([0.0, 0.2, 0.6]), kill=st.booleans())
    def run(self, seed: int, rate: float, kill: bool) -> None:
        chance = random.Random(seed)

        def trouble(step: str, number: str) -> None:
            with self.world.guard:
                draw, kind, dead = chance.random(), chance.choice(TROUBLES), chance.random()
            if step == "read" or draw >= rate:
                return
            if kill and dead < 0.1:
                raise Killed
            if step.endswith("after"):
                kind = InDoubt  # the change was made: a connector that says anything else would lie
            raise kind(f"trouble at {step} of {number}") if kind is not InDoubt else InDoubt("no answer", after=0.001)

        self.world.trouble = trouble
        try:
            result = sync.run(self.database, self.profile)
            assert result.status in ("success", "error")
            if result.counts["failed"]:
                assert result.status == "error", "a run in which something failed is never success"
        except Killed:
            pass
        finally:
            self.world.trouble = lambda step, number: None
            self.world.working.clear()

    @rule()
    def put_back(self) -> None:
        with self.database.session() as session:
            history.put_back(session, [row.id for row in rows(self.database, self.profile).values()], "a person")

    @invariant()
    def there_is_at_most_one_target_per_source(self) -> None:
        numbers = [one["number"] for one in self.world.created]
        assert len(numbers) == len(set(numbers))
        assert len(self.world.contacts) == len(set(self.world.contacts))

    @invariant()
    def no_record_was_worked_on_twice_at_once(self) -> None:
        assert self.world.overlaps == []

    @invariant()
    def the_words_are_the_six(self) -> None:
        assert {row.status for row in rows(self.database, self.profile).values()} <= WORDS

    @invariant()
    def what_is_called_done_exists_and_the_history_only_grows(self) -> None:
        with self.database.reading() as session:
            lines = session.query(models.SyncHistory).count()
            told = {
                line.record_id
                for line in session.query(models.SyncHistory).filter(models.SyncHistory.status == "complete")
            }
        assert lines >= self.lines
        self.lines = lines
        created = {one["id"]: one for one in self.world.created}
        for row in rows(self.database, self.profile).values():
            if row.status in ("complete", "updated"):
                assert row.target_id in created
            if row.status == "complete":
                assert row.id in told

    def teardown(self) -> None:
        """Without trouble and without filter, everything arrives as it is now."""
        if not hasattr(self, "profile"):
            return
        self.configure([], "append")
        for _ in range(8):
            sync.run(self.database, self.profile)
            waiting = [row for row in rows(self.database, self.profile).values() if row.status == "failed"]
            if not waiting:
                break
            with self.database.session() as session:
                history.retry(session, [row.id for row in waiting], "a person")
        found = rows(self.database, self.profile)
        assert set(found) == set(self.world.orders)
        sent = {one["number"]: one["status"] for one in self.world.created}
        for number, order in self.world.orders.items():
            assert found[number].status in ("complete", "updated"), (number, found[number].message)
            assert sent[number] == order["status"], f"order {number} stands there as it was before"


def test_whatever_happens_each_order_arrives_once_and_as_it_is(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sync.random, "uniform", lambda low, high: 0.001)
    monkeypatch.setattr(sync, "UNREACHABLE_LIMIT", 1000)
    Machine.database = sqlite
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("MACHINE_EXAMPLES", "25")),
            stateful_step_count=25,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
