"""Play the warehouse of the PlentyONE stand-in: `python -m sandbox.warehouse ship --external 100000123 --number JD01`.

Every action of `/_sandbox/control/` is one here, and `work` goes once through all orders that are ready: it invoices,
packs and ships them.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

URL = "http://127.0.0.1:9102"
READY = (4, 5, 5.1, 6)


class CannotWork(Exception):
    """The stand-in said no, or is not there; the message is for the person who called."""


class Warehouse:
    """One stand-in's control page, from a program."""

    def __init__(self, url: str = URL) -> None:
        self.url = url.rstrip("/")

    def state(self) -> Any:
        return self._send(urllib.request.Request(f"{self.url}/_sandbox/state"))

    def act(self, action: str, **body: Any) -> Any:
        """Do one action. CannotWork with the stand-in's own sentence."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/control/{action}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        return self._send(request)

    def scan(self, order: int, line: str, *numbers: str, **more: Any) -> Any:
        """Scan serial numbers onto a line, named by SKU or item id; without one, the stand-in makes up an IMEI."""
        return self.act("scan", id=order, lines=[read_line(line)], serialNumbers=list(numbers), **more)

    def work(self, numbers: str = "JD", limit: int | None = None) -> list[int]:
        """Invoice, pack and ship every sales order that is ready; the ids of those that went out."""
        done: list[int] = []
        for row in self.state()["orders"]:
            if row["typeId"] != 1 or row["statusId"] not in READY or (limit is not None and len(done) >= limit):
                continue
            if "invoice" not in row["documents"]:
                self.act("invoice", id=row["id"])
            self.act("ship", id=row["id"], packageNumber=f"{numbers}{row['id']:010d}")
            done.append(row["id"])
        return done

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                said = json.load(error).get("error")
            except ValueError:
                said = None
            raise CannotWork(said or f"{self.url} answered {error.code}.") from error
        except OSError as error:
            raise CannotWork(f"{self.url} does not answer: {error}") from error


def read_line(text: str) -> dict[str, Any]:
    """`MUG-1=2` or `810001=2`: a SKU or the id of an order item, and how many."""
    name, _, quantity = text.rpartition("=")
    name, quantity = (name, quantity) if name else (text, "1")
    key: dict[str, Any] = {"orderItemId": int(name)} if name.isdigit() else {"sku": name}
    return {**key, "quantity": float(quantity) if "." in quantity else int(quantity)}


def read_value(text: str) -> tuple[str, Any]:
    """`statusId=7`: the value is JSON where it can be, text where not."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.warehouse", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("action", help="list, work, or an action such as pack, scan, ship, ship_part, invoice, pay, return, credit")
    add("--url", default=URL, help=f"the PlentyONE stand-in (default: {URL})")
    add("--order", type=int, metavar="ID", help="the order by PlentyONE's id")
    add("--external", metavar="NUMBER", help="the order by its external id, the shop's order number")
    add("--line", action="append", metavar="SKU=QTY", help="a line and how many of it; may be repeated")
    add("--number", action="append", metavar="N", help="tracking number; several are several packages")
    add("--serial", action="append", metavar="N", help="for scan: IMEI or serial number of the line; may be repeated")
    add("--bytes", type=int, metavar="N", help="for invoice and delivery_note: the size of the PDF")
    add("--provider", help="carrier, for example DHL")
    add("--amount", type=float, help="for pay, pay_back and credit")
    add("--only", choices=("shipping",), help="credit nothing but the shipping")
    add("--shipping", action=argparse.BooleanOptionalAction, help="credit with or without the shipping")
    add("--document", action="store_true", help="with the document of the credit note")
    add("--pay-back", action="store_true", help="pay the credit note out")
    add("--status", type=float, metavar="ID", help="the status that follows")
    add("--limit", type=int, metavar="N", help="for work: no more orders than this")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any further field of the action's body")
    return parser.parse_args(argv)


def body_of(options: argparse.Namespace) -> dict[str, Any]:
    """The body of the action, without what was not said."""
    numbers = options.number or []
    body = {
        "id": options.order,
        "externalId": options.external,
        "lines": [read_line(each) for each in options.line] if options.line else None,
        "packageNumber": numbers[0] if len(numbers) == 1 else None,
        "packages": [{"packageNumber": each} for each in numbers] if len(numbers) > 1 else None,
        "serialNumbers": options.serial,
        "bytes": options.bytes,
        "provider": options.provider,
        "amount": options.amount,
        "only": options.only,
        "shipping": options.shipping,
        "document": options.document or None,
        "pay_back": options.pay_back or None,
        "statusId": options.status,
    }
    return {name: value for name, value in body.items() if value is not None} | dict(map(read_value, options.set))


def main(argv: Sequence[str] | None = None) -> int:
    """0, or 1 with a sentence when the stand-in said no."""
    options = arguments(argv)
    warehouse = Warehouse(options.url)
    try:
        if options.action == "list":
            for row in warehouse.state()["orders"]:
                packages = ",".join(row["packageNumbers"])
                print(row["id"], row["typeId"], row["statusId"], row["externalId"] or "-", packages or "-", sep="\t")
        elif options.action == "work":
            print(*warehouse.work(limit=options.limit), sep="\n")
        else:
            print(json.dumps(warehouse.act(options.action, **body_of(options)), ensure_ascii=False, indent=1))
    except CannotWork as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
