"""`connector run` beside a bare script that makes the same calls, in one run, against stand-ins in another process.

    python bench/orders.py [--orders 2000] [--write-limit 80 --orders 200]

Counts before seconds: CPU seconds and peak memory of each process, remote calls per order. With --write-limit the
question is another: how much of the vendor's budget is used, and whether a 429 was met.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Measured:
    """CPU seconds, elapsed seconds and peak memory (MiB) of one child process, and what it printed last."""

    cpu: float
    elapsed: float
    memory: float
    said: str
    code: int


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a child by fork and wait4, so that its own usage is known exactly."""
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        child = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        elapsed = time.monotonic() - began
        out.seek(0)
        lines = out.read().decode().strip().splitlines()
    return Measured(
        usage.ru_utime + usage.ru_stime, elapsed, usage.ru_maxrss / 1024, lines[-1] if lines else "", child.returncode
    )


@contextmanager
def stand_ins(*options: str) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        addresses: dict[str, str] = {}
        for line in child.stdout:
            if line.strip() == "ready":
                break
            name, _, address = line.strip().partition(" ")
            addresses[name] = address
        yield addresses["magento"], addresses["plentyone"]
    finally:
        child.terminate()
        child.wait(10)


def fetch(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def state(address: str) -> dict[str, Any]:
    return dict(fetch(f"{address}/_sandbox/state"))


def per_window(log: Any, window: float) -> list[int]:
    """How many writes fell into each window, counted from the first one (the login of collecting is long before)."""
    rows = log["requests"] if isinstance(log, dict) else log
    times = sorted(moment(row["time"]) for row in rows if row["method"] != "GET")
    start = next((one for one, after in zip(times, times[3:], strict=False) if after - one < window / 2), times[0])
    counts = [0] * (int((times[-1] - start) / window) + 1)
    for one in times:
        if one >= start:
            counts[int((one - start) / window)] += 1
    return counts


def moment(given: Any) -> float:
    return datetime.fromisoformat(given).timestamp() if isinstance(given, str) else float(given)


def prepare(home: Path, shop: str, erp: str, workers: int) -> dict[str, str]:
    """A data folder with two connections and a profile; returns the environment of the command."""
    environment = {
        **os.environ,
        "CONNECTOR_HOME": str(home),
        "CONNECTOR_ALLOW_PRIVATE": "1",
        "PLENTY_PASSWORD": "sandbox",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("CONNECTOR_DATABASE_URL", None)
    # an installed program is compiled once, as the bare script's libraries are: not anew at each start
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(home / "compiled")
    text = (HERE / "orders.yaml").read_text().replace("$SHOP", shop).replace("$ERP", erp)
    file = home / "bench.yaml"
    file.write_text(text.replace("$WORKERS", str(workers)))
    for command in (["apply", str(file)], ["collect"], ["records", "Order export"]):
        subprocess.run(
            [sys.executable, "-m", "admin", *command], env=environment, cwd=ROOT, check=True, capture_output=True
        )
    return environment


def table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(
                cell.ljust(width) if n == 0 else cell.rjust(width)
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


def compare(orders: int, workers: int) -> None:
    rows: list[tuple[str, ...]] = [
        (
            "",
            "orders",
            "CPU s",
            "CPU ms/order",
            "elapsed s",
            "peak MiB",
            "shop reads",
            "erp reads",
            "erp writes",
            "writes/order",
        )
    ]
    with stand_ins("--orders", str(orders)) as (shop, erp), tempfile.TemporaryDirectory() as folder:
        environment = prepare(Path(folder), shop, erp, workers)
        ours = measure([sys.executable, "-m", "admin", "run", "Order export", "--json"], environment)
        result = json.loads(ours.said)
        done = result["counts"]["complete"]
        calls = result["calls"]
        rows.append(
            _row("connector run", done, ours, calls["shop"]["read"], calls["erp"]["read"], calls["erp"]["write"])
        )
        again = measure([sys.executable, "-m", "admin", "run", "Order export", "--json"], environment)
        calls = json.loads(again.said)["calls"]
        rows.append(_row("nothing to do", 0, again, calls["shop"]["read"], calls["erp"]["read"], calls["erp"]["write"]))
        counts = result["counts"]
    with stand_ins("--orders", str(orders)) as (shop, erp):
        variation = int(os.environ.get("BENCH_VARIATION") or 5001)
        bare = measure([sys.executable, str(HERE / "bare.py"), shop, erp, str(variation)], dict(os.environ))
        said = json.loads(bare.said.replace("'", '"')) if bare.code == 0 else {}
        rows.append(_row("bare script", said.get("orders", 0), bare, said.get("read", 0), 0, said.get("write", 0)))
    table(rows)
    if done and said.get("orders"):
        ratio = (ours.cpu / done) / (bare.cpu / said["orders"])
        per_call = (ours.cpu / max(1, calls_of(result))) / (bare.cpu / (said["read"] + said["write"]))
        print(f"CPU per order: {ratio:.2f} times the bare script; per remote call: {per_call:.2f} times.")
    print(f"counts: {counts}; the bench itself used {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} CPU s")


def calls_of(result: dict[str, Any]) -> int:
    return sum(count for one in result["calls"].values() for count in one.values())


def _row(name: str, done: int, run: Measured, *calls: int) -> tuple[str, ...]:
    per_order = f"{calls[-1] / done:.2f}" if done else "-"
    each = f"{1000 * run.cpu / done:.2f}" if done else "-"
    return (
        name,
        str(done),
        f"{run.cpu:.2f}",
        each,
        f"{run.elapsed:.1f}",
        f"{run.memory:.0f}",
        *map(str, calls),
        per_order,
    )


def budget(orders: int, limit: int, window: float, workers: int) -> None:
    options = ["--orders", str(orders), "--write-limit", str(limit), "--window-seconds", str(window)]
    with stand_ins(*options) as (shop, erp), tempfile.TemporaryDirectory() as folder:
        environment = prepare(Path(folder), shop, erp, workers)
        ran = measure([sys.executable, "-m", "admin", "run", "Order export", "--json"], environment)
        result = json.loads(ran.said)
        found = state(erp)
        log = fetch(f"{erp}/_sandbox/log")
    writes = result["calls"]["erp"]["write"]
    full = per_window(log, window)[:-1]  # the run ends within its last window
    used = sum(full) / (limit * len(full)) if full else 0
    print(f"{writes} writes in {ran.elapsed:.1f} s; full windows used {full} of {limit} each: ", end="")
    print(f"{100 * used:.1f} %; 429 met: {found['too_many_requests']}")
    print(f"counts: {result['counts']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--write-limit", type=int)
    parser.add_argument("--window-seconds", type=float, default=60)
    given = parser.parse_args()
    if given.write_limit:
        budget(given.orders, given.write_limit, given.window_seconds, given.workers)
    else:
        compare(given.orders, given.workers)


if __name__ == "__main__":
    main()
