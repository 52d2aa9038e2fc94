"""What an order import costs: remote calls per imported change, by kind of change.

    python bench/answers.py [--each 10]

Orders are exported once; then each kind of change happens to some of them in PlentyONE, and one run of the import takes
it to the shop. Counts, not seconds: the calls that both systems answered in that run, per change.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from orders import HERE, ROOT, fetch, prepare, stand_ins, table

ANSWERS = {"create_invoice": True, "create_shipment": True, "create_credit_memo": True, "cancel_order": True}
CONDITIONS = {"invoice_document_condition": True, "cancel_statuses": [8]}

Act = Callable[[str, int], Any]


def control(erp: str, action: str, **body: Any) -> Any:
    request = urllib.request.Request(f"{erp}/_sandbox/control/{action}", data=json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _shipped_in_parts(erp: str, id: int) -> None:
    order = next(one for one in control(erp, "orders") if one["id"] == id)
    line = next(item for item in order["orderItems"] if item["typeId"] in (1, 9))
    control(erp, "ship_part", id=id, lines=[{"orderItemId": line["id"], "quantity": 1}], packageNumber=f"P{id}")


KINDS: tuple[tuple[str, Act], ...] = (
    ("a status that means nothing to the shop", lambda erp, id: control(erp, "set_status", id=id, statusId=5.1)),
    ("invoiced", lambda erp, id: control(erp, "invoice", id=id)),
    ("shipped with a tracking number", lambda erp, id: control(erp, "ship", id=id, packageNumber=f"JD{id}")),
    ("a part shipped", _shipped_in_parts),
    ("a second parcel", lambda erp, id: control(erp, "pack", id=id, packageNumber=f"JE{id}")),
    ("credited", lambda erp, id: control(erp, "credit", id=id)),
    ("cancelled", lambda erp, id: control(erp, "cancel", id=id)),
)
GROUPS = {"a second parcel": "shipped with a tracking number"}  # a second parcel needs a first one
PAID = ("credited",)  # only what was paid offline is refunded offline
UNPAID = ("invoiced", "cancelled")


def run(environment: dict[str, str], profile: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "admin", "run", profile, "--json"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def set_up(home: Path, shop: str, erp: str) -> dict[str, str]:
    environment = prepare(home, shop, erp, 4)
    text = (HERE / "orders.yaml").read_text().replace("$SHOP", shop).replace("$ERP", erp).replace("$WORKERS", "4")
    document = yaml.safe_load(text)
    there = document["profiles"][0]
    back = {**there, "name": "Order import", "direction": "import", "from": "erp", "to": "shop"}
    document["profiles"].append({**back, "settings": {"global": {**ANSWERS, **CONDITIONS}}})
    file = home / "both.yaml"
    file.write_text(yaml.safe_dump(document))
    subprocess.run([sys.executable, "-m", "admin", "apply", str(file)], env=environment, cwd=ROOT, check=True)
    return environment


def chosen(shop: str, erp: str, ids: list[int], kinds: list[str], each: int) -> dict[str, list[int]]:
    """Which orders each kind of change happens to: such as the shop can take it for."""
    numbers = {
        next(row["value"] for row in one["properties"] if row["typeId"] == 7): one["id"]
        for one in control(erp, "orders")
        if one["id"] in ids
    }
    paid, unpaid, rest = [], [], []
    for brief in control(shop, "orders"):
        if brief["increment_id"] not in numbers:
            continue
        order = control(shop, "order", increment_id=brief["increment_id"])
        if order["state"] != "processing":
            continue
        group = unpaid if not order.get("total_paid") else rest if order["payment"].get("last_trans_id") else paid
        group.append(numbers[brief["increment_id"]])
    groups: dict[str, list[int]] = {}
    for name in kinds:
        stock = paid if name in PAID else unpaid if name in UNPAID else (rest or unpaid)
        groups[name] = [stock.pop() for _ in range(min(each, len(stock)))]
    return groups


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=10, help="orders per kind of change")
    each = parser.parse_args().each
    rows: list[tuple[str, ...]] = [
        ("change", "orders", "written", "erp reads", "shop reads", "shop writes", "calls each", "message")
    ]

    def measure(name: str, count: int) -> None:
        result = run(environment, "Order import")
        calls = result["calls"]
        reads, writes = calls["shop"]["read"], calls["shop"]["write"]
        done = result["counts"]["complete"] + result["counts"]["updated"]
        per = f"{(calls['erp']['read'] + reads + writes) / max(1, count):.2f}"
        said = "" if result["status"] == "success" else result["message"][:90]
        rows.append((name, *map(str, (count, done, calls["erp"]["read"], reads, writes)), per, said))

    kinds = [name for name, _ in KINDS if name not in GROUPS]
    with stand_ins("--orders", str(each * len(kinds) * 6)) as (shop, erp), tempfile.TemporaryDirectory() as folder:
        environment = set_up(Path(folder), shop, erp)
        run(environment, "Order export")
        ids = [one["id"] for one in fetch(f"{erp}/_sandbox/state")["orders"] if one["typeId"] == 1]
        measure("seen for the first time, nothing to do", len(ids))
        measure("nothing changed at all", 0)
        groups = chosen(shop, erp, ids, kinds, each)
        for name, act in KINDS:
            group = groups[GROUPS.get(name, name)]
            for id in group:
                act(erp, id)
            measure(name, len(group))
        measure("nothing changed at all", 0)
        state = fetch(f"{shop}/_sandbox/state")
    table(rows)
    print(f"twice in the shop: { {kind: found for kind, found in state['duplicates'].items() if found} }")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
