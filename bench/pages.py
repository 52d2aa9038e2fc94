"""Are the log pages as quick with a million rows as with a thousand? python bench/pages.py [--rows 1000000]

Fills sync_record, sync_history and data_log in SQLite and in a PostgreSQL database of its own, which it removes, asks
for each page and each filter, and compares the time with the same at 1,000 rows, both in turn in one process. Then it
reads all rows as CSV and watches the memory. Prints the table of the README.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import insert, text

sys.path.insert(0, str(Path(__file__).parents[1]))

from admin import auth, create_app
from bench.clock import postgres
from profiles.db import Database, now
from profiles.models import Connection, Profile

SMALL = 1000
PASSWORD = "a password of the bench"
HREF = 'rel="next" href="'

RECORDS = """
INSERT INTO sync_record (profile_id, source_id, source_number, target_id, status, message, cause, transient, attempts,
    tries, refs, store, source_status, customer, amount, forced, source_created_at, created_at, updated_at, processed_at)
SELECT 1, {n}, '1' || {padded}, CASE WHEN {n} % 10 <> 0 THEN CAST({n} + 5000000 AS VARCHAR(20)) END,
    CASE WHEN {n} % 10 = 0 THEN 'failed' WHEN {n} % 10 = 1 THEN 'skipped' WHEN {n} % 10 = 2 THEN 'updated'
        ELSE 'complete' END,
    CASE WHEN {n} % 10 = 0 THEN 'Order 1' || {padded} || ': no payment method is mapped for klarna.'
        ELSE 'Created with contact, addresses and payment; the totals agree.' END,
    CASE WHEN {n} % 10 = 0 THEN 'cause ' || ({n} / 10 % 2) END, {false}, 1, 0,
    '{{"id": "7", "status_id": "5", "status_name": "Cleared", "contact_id": "9", "billing_id": "3", "payment_id": "4"}}',
    'de', 'processing', CAST({n} % {customers} AS VARCHAR(20)), '19.90 EUR', {false}, {at}, {at}, {at}, {at} FROM {series}
"""
HISTORY = """
INSERT INTO sync_history (profile_id, record_id, source_id, source_number, target_id, status, direction, message,
    created_at)
SELECT 1, {n}, {n}, '1' || {padded}, '7', CASE WHEN {n} % 10 = 0 THEN 'failed' ELSE 'complete' END, 'export',
    'Created with contact, addresses and payment; the totals agree.', {at} FROM {series}
"""
LOG = """
INSERT INTO data_log (connection_id, identifier, path, method, status, seconds, reference, created_at)
SELECT 1 + {n} % 2, 'plentyone', '/rest/orders', 'POST', CASE WHEN {n} % 10 = 0 THEN 422 ELSE 200 END, 0.21,
    '1' || {padded}, {at} FROM {series}
"""


def fill(database: Database, rows: int) -> None:
    """So many rows in each log, one a second, the newest now."""
    start = now() - timedelta(seconds=rows)
    with database.session() as session:
        stamps = {"created_at": start, "updated_at": start}
        auth.add_user(session, "bench", PASSWORD)
        session.execute(
            insert(Connection), [{"name": name, "connector": "x", "base_url": "", **stamps} for name in ("from", "to")]
        )
        session.execute(
            insert(Profile),
            [{"name": "Orders", "entity": "order", "direction": "export", "from_id": 1, "to_id": 2, "cron": "0 * * * *",
              **stamps}],
        )  # fmt: skip
        if database.sqlite:
            words = {
                "series": f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) "
                "SELECT n FROM s) AS t",
                "n": "t.n",
                "padded": "printf('%08d', t.n)",
                "false": "0",
                "at": f"strftime('%Y-%m-%d %H:%M:%S', {start.timestamp()} + t.n, 'unixepoch') || '.000000'",
            }
        else:
            words = {
                "series": f"generate_series(1, {rows}) AS t(n)",
                "n": "t.n",
                "padded": "lpad(CAST(t.n AS VARCHAR(20)), 8, '0')",
                "false": "false",
                "at": f"to_timestamp({start.timestamp()} + t.n) AT TIME ZONE 'UTC'",
            }
        words["customers"] = str(max(1, rows // 3))
        for statement in (RECORDS, HISTORY, LOG):
            session.execute(text(statement.format(**words)))
    if not database.sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


class Visitor:
    """Somebody who is logged in, and asks for pages in this process."""

    def __init__(self, database: Database, rows: int) -> None:
        self.database, self.rows = database, rows
        app = create_app(database)
        app.config.update(RATELIMIT_ENABLED=False, WTF_CSRF_ENABLED=False)
        self.client = app.test_client()
        answer = self.client.post("/login/", data={"name": "bench", "password": PASSWORD})
        assert answer.status_code == 302, answer.status_code
        self.middle = now() - timedelta(seconds=rows / 2)

    def pages(self) -> dict[str, str]:
        """What is asked for, by what it is called in the table."""
        records, lines, log = "/profiles/1/records/", "/profiles/1/history/", "/log/"
        number = f"1{self.rows // 2:08d}"
        day = f"{self.middle:%Y-%m-%dT%H:%M:%S}"
        return {
            "records: first page": records,
            "records: deep page": self.deep(records),
            "records: status failed, by cause": f"{records}?status=failed",
            "records: status complete": f"{records}?status=complete",
            "records: status complete, deep": self.deep(f"{records}?status=complete"),
            "records: status failed, sorted by update": f"{records}?status=failed&sort=updated",
            "records: one cause": f"{records}?status=failed&cause=cause+0",
            "records: order number": f"{records}?order={number}",
            "records: customer": f"{records}?customer=17",
            "records: id at the target": f"{records}?target={self.rows // 2 + 5_000_001}",
            "records: words that are met": f"{records}?text=klarna",
            "records: words that nobody wrote": f"{records}?text=nothing+like+that",
            "records: created until": f"{records}?created_to={day}",
            "records: updated until": f"{records}?updated_to={day}",
            "records: processed since": f"{records}?processed_from={day}",
            "records: status and days": f"{records}?status=skipped&created_to={day}",
            "records: sorted by creation, oldest first": f"{records}?sort=created.up",
            "records: sorted by status": f"{records}?sort=status",
            "records: sorted by a column without index": f"{records}?sort=amount",
            "history: first page": lines,
            "history: deep page": self.deep(lines),
            "history: status": f"{lines}?status=failed",
            "history: order": f"{lines}?order={number}",
            "history: words that nobody wrote": f"{lines}?text=nothing+like+that",
            "history: days": f"{lines}?created_to={day}",
            "data log: first page": log,
            "data log: deep page": self.deep(log),
            "data log: connection": f"{log}?connection=1",
            "data log: failed": f"{log}?result=failed",
            "data log: reference": f"{log}?reference={number}",
            "orders: search": f"/orders/?q={number[:-1]}",
            "one order": f"/orders/{self.rows // 2}/",
        }

    def deep(self, address: str) -> str:
        """A page in the middle of the list: its cursor is that of the next page, with the keys of the middle."""
        import base64
        import json
        import re

        page = self.client.get(address).get_data(as_text=True)
        cursor = re.search(r"before=([\w-]+)", page)
        assert cursor, address
        keys = json.loads(base64.urlsafe_b64decode(cursor[1] + "=" * (-len(cursor[1]) % 4)))
        far = [{"t": self.middle.isoformat()} if isinstance(key, dict) else self.rows // 2 for key in keys]
        packed = base64.urlsafe_b64encode(json.dumps(far).encode()).decode().rstrip("=")
        return f"{address}{'&' if '?' in address else '?'}before={packed}"

    def ask(self, address: str) -> float:
        began = time.perf_counter()
        answer = self.client.get(address)
        body = answer.get_data()
        took = time.perf_counter() - began
        assert answer.status_code == 200, (address, answer.status_code)
        assert len(body) > 1000, address
        return 1000 * took


@contextmanager
def peak(found: dict[str, float]) -> Iterator[None]:
    """How much the memory of this process grows while the block runs, in MiB."""
    process, over = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    found["grown"] = 0.0

    def watch() -> None:
        while not over.wait(0.05):
            found["grown"] = max(found["grown"], (process.memory_info().rss - before) / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def export(visitor: Visitor, address: str) -> tuple[int, float, float, float]:
    """Lines, seconds to the first piece, seconds in all, and the memory that it took (MiB)."""
    found: dict[str, float] = {}
    with peak(found):
        began = time.perf_counter()
        answer = visitor.client.get(address, buffered=False)
        lines, first = 0, 0.0
        for piece in answer.iter_encoded():
            first = first or time.perf_counter() - began
            lines += piece.count(b"\r\n")
        answer.close()
        took = time.perf_counter() - began
    return lines - 1, first, took, found["grown"]


def measure(name: str, few: Visitor, many: Visitor, rounds: int, only: str) -> dict[str, tuple[float, float]]:
    """Milliseconds of each page with few and with many rows, asked in turn; the quickest, as others share the machine."""
    made = {}
    for title, address in many.pages().items():
        if only not in title:
            continue
        other = few.pages()[title]
        few.ask(other)
        many.ask(address)
        pairs = [(few.ask(other), many.ask(address)) for _ in range(rounds)]
        made[title] = (min(one for one, _ in pairs), min(one for _, one in pairs))
        print(f"{name}: {title}: {made[title][0]:.1f} → {made[title][1]:.1f} ms", file=sys.stderr, flush=True)
    return made


def databases(folder: str) -> Iterator[tuple[str, Any]]:
    yield "SQLite", (f"sqlite:///{folder}/few.db", f"sqlite:///{folder}/many.db")
    with postgres() as one, postgres() as other:
        if one is None or other is None:
            print("PostgreSQL does not answer; it is left out.")
        else:
            yield "PostgreSQL", (one, other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="pages with this in their name")
    parser.add_argument("--no-export", action="store_true")
    options = parser.parse_args()
    print(f"| Database | Page | 1,000 rows | {options.rows:,} rows | times |\n|---|---|---|---|---|")
    exports = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CONNECTOR_HOME"] = folder
        for name, urls in databases(folder):
            visitors = []
            for url, rows in zip(urls, (SMALL, options.rows), strict=True):
                database = Database(url)
                database.upgrade()
                began = time.perf_counter()
                fill(database, rows)
                print(f"{name}: {rows:,} rows in {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
                visitors.append(Visitor(database, rows))
            for title, (few, many) in measure(name, *visitors, options.rounds, options.only).items():
                print(f"| {name} | {title} | {few:.1f} ms | {many:.1f} ms | {many / few:.2f} |", flush=True)
            if not options.no_export:
                for list_ in ("records", "history"):
                    found = export(visitors[1], f"/profiles/1/{list_}/export.csv")
                    exports.append((name, list_, *found))
            for visitor in visitors:
                visitor.database.engine.dispose()
    if exports:
        print("\n| Database | CSV of | rows | first piece | all | memory grown by |\n|---|---|---|---|---|---|")
    for name, list_, lines, first, took, grown in exports:
        print(f"| {name} | {list_} | {lines:,} | {first:.2f} s | {took:.0f} s | {grown:.0f} MiB |")


if __name__ == "__main__":
    main()
