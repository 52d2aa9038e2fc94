"""Exactly once: whatever fails, whenever the worker is killed, repeated runs lose nothing and create nothing twice."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from tests.conftest import postgres
from tests.journey.conftest import Host, Makers, StandIns, once_each

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "plain_429"},
    {"kind": "html_503"},
    {"kind": "timeout", "seconds": 10},
    {"kind": "timeout", "seconds": 10, "executed": True},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "truncated"},
    {"kind": "slow", "seconds": 0.3},
    {"kind": "expired_token", "times": 40},  # with more, nobody logs in any more: 60 times in 5 minutes
    {"kind": "error_after"},
    {"kind": "html_200"},
]


def settled(host: Host) -> bool:
    found = {one["status"] for one in host.records()}
    return bool(found) and found <= {"complete", "updated", "skipped"}


def check(stand_ins: StandIns, host: Host, wanted: set[str]) -> None:
    """Nothing lost, nothing doubled, nothing half."""
    state = stand_ins.state()
    records = {one["source_number"]: one for one in host.records()}
    unfinished = {
        number: records.get(number, {}).get("message")
        for number in wanted
        if records.get(number, {}).get("status") not in ("complete", "updated")
    }
    assert unfinished == {}
    assert once_each(state) == {}
    assert state["counts"]["orders"] == len(wanted)
    paid = [one for one in records.values() if one["refs"].get("payment_id")]
    assert state["counts"]["payments"] == state["counts"]["order_relations"] == len(paid)
    assert state["counts"]["contact_relations"] == len(paid)


def wanted(stand_ins: StandIns) -> set[str]:
    return {
        one["increment_id"]
        for one in stand_ins.control("magento", "orders")
        if one.get("status") in ("processing", "complete")
    }


def seed() -> int:
    made = int(os.environ.get("TEST_SEED") or random.randrange(1 << 30))
    print(f"seed {made} (repeat with TEST_SEED={made})")
    return made


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: fault["kind"] + ("_executed" if fault.get("executed") else "")
)
def test_each_fault_at_a_fifth_of_all_calls_converges(world: Makers, fault: dict[str, Any]) -> None:
    stand_ins, host = world("--orders", "40", "--index-lag", "1")
    host.apply(residual="line", workers=8)
    assert host.call("collect").returncode == 0
    stand_ins.faults({**fault, "rate": 0.2, "seed": seed(), "path": "/rest/*"})
    for _ in range(8):
        host.run()
        if settled(host):
            break
    stand_ins.faults()
    check(stand_ins, host, wanted(stand_ins))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_thirty_kills_lose_and_double_nothing(world: Makers, engine: str) -> None:
    if engine == "postgresql":
        for url in postgres():
            kill_and_check(world, url)
    else:
        kill_and_check(world, None)


def kill_and_check(world: Makers, url: str | None) -> None:
    chance = random.Random(seed())
    stand_ins, host = world("--orders", "300", "--index-lag", "1", "--latency-ms", "25", url=url)
    host.apply(residual="line", workers=8)
    assert host.call("collect").returncode == 0
    kills = 0
    for _ in range(30):
        process = host.start("run", "Order export", "--json")
        time.sleep(chance.uniform(0.8, 2.2))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    print(f"{kills} kills hit a running worker")
    for _ in range(6):
        host.run()
        if settled(host):
            break
    check(stand_ins, host, wanted(stand_ins))
    assert kills >= 5


def test_a_host_whose_database_is_lost_takes_up_what_it_had_brought_and_doubles_nothing(world: Makers) -> None:
    stand_ins, host = world("--orders", "60", "--index-lag", "1")
    host.apply(residual="line")
    assert host.run()["exit"] == 0
    before, numbers = stand_ins.state(), wanted(stand_ins)
    brought = {one["source_number"]: one["target_id"] for one in host.records()}
    for file in (host.folder / "home").glob("connector.db*"):
        file.unlink()
    host.apply(residual="line")
    told = host.run()
    assert told["exit"] == 0, told
    check(stand_ins, host, numbers)
    assert stand_ins.state()["counts"] == before["counts"]
    assert {one["source_number"]: one["target_id"] for one in host.records()} == brought


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_second_profile_of_the_same_work_doubles_nothing_however_both_are_killed(world: Makers, engine: str) -> None:
    for url in postgres() if engine == "postgresql" else [None]:
        chance = random.Random(seed())
        stand_ins, host = world("--orders", "120", "--index-lag", "1", "--latency-ms", "10", url=url)
        host.apply(residual="line", workers=4, twin="Second export")
        assert host.call("collect").returncode == 0
        for _ in range(10):
            both = [host.start("run", name, "--json") for name in ("Order export", "Second export")]
            time.sleep(chance.uniform(1.0, 2.5))
            for process in chance.sample(both, 2):
                process.send_signal(signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.5))
            for process in both:
                process.communicate()
        both = [host.start("run", name, "--json") for name in ("Order export", "Second export")]
        assert [process.communicate()[1] and process.returncode for process in both] == [0, 0]
        host.run()
        state, numbers = stand_ins.state(), wanted(stand_ins)
        assert once_each(state) == {}
        assert state["counts"]["orders"] == len(numbers)
        first, second = (host.records(profile=name) for name in ("Order export", "Second export"))
        assert {one["source_number"] for one in first if one["target_id"]} | {
            one["source_number"] for one in second if one["target_id"]
        } == numbers
        assert {one["status"] for one in (*first, *second)} <= {"complete", "updated", "skipped"}
