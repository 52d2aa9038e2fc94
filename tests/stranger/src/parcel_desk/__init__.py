"""Parcel Desk: a small system that takes orders by `POST /orders` and answers with their id."""

from collections.abc import Iterator

from connector import (
    Catalogue,
    Connector,
    ConnectorError,
    Entry,
    Finding,
    Known,
    Options,
    Ref,
    Resource,
    Written,
    find_or_create,
)
from connector.client import Client
from connector.records import Order
from connector.settings import ACCOUNT, STATUSES, WAREHOUSE, Choice, Secret, Settings, ValueMap, setting


class DeskClient(Client):
    """Adds the key to every request; the client below it does the rest."""

    def authorize(self, request) -> None:
        request.headers["X-Api-Key"] = self.account.settings.api_key


class Orders(Resource):
    entity = "order"
    label = "Orders"
    refs = (Ref(key="id", label="Parcel Desk ID"),)

    class TargetOptions(Settings):
        shelf = setting(Choice("shelf"), section=WAREHOUSE, label="Shelf", required=True)
        status_mapping = setting(
            ValueMap("order_status", Choice("stage")), section=STATUSES, label="Order status mapping", required=True
        )

    def check(self, record: Order, options: Options) -> list[str]:
        if record.status in (options.status_mapping or {}):
            return []
        return [f"order status '{record.status}' of store {record.store} is not mapped"]

    def write(self, record: Order, known: Known, options: Options) -> Written:
        if "id" in known.refs:
            return Written(key=known.refs["id"], created=False, message="Already there.")
        key = find_or_create(
            doubt=known.doubt,
            doubt_age=known.doubt_age,
            lag=0,
            what=f"order {record.number}",
            find=lambda: self.find(record),
            create=lambda: self.create(record, options),
        )
        known.learn(id=key)
        return Written(key=key, created=True, message=f"Parcel {key} created.")

    def find(self, record: Order) -> str | None:
        found = self.client.call("GET", "/orders", query={"number": record.number}, reference=record.number).data
        return str(found[0]["id"]) if found else None

    def create(self, record: Order, options: Options) -> str:
        body = {"number": record.number, "shelf": options.shelf, "total": record.grand_total}
        return str(self.client.call("POST", "/orders", body=body, reference=record.number).data["id"])


class ParcelDesk(Connector):
    code = "parcel_desk"
    label = "Parcel Desk"
    resources = (Orders,)
    catalogues = (Catalogue(kind="shelf", label="Shelves"), Catalogue(kind="stage", label="Stages"))

    class Settings(Settings):
        api_key = setting(Secret(), section=ACCOUNT, label="API key", required=True, help="Menu » Account » API.")

    def make_client(self) -> Client:
        return DeskClient(self.account, self.host)

    def check(self) -> list[Finding]:
        try:
            self.client.call("GET", "/shelves")
        except ConnectorError as error:
            return [Finding(name="Parcel Desk", ok=False, message=str(error))]
        return [Finding(name="Parcel Desk", ok=True, message="The desk answers and knows the key.")]

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        shelves = self.client.call("GET", "/shelves").data
        yield "shelf", [Entry(id=str(one["id"]), name=one["name"]) for one in shelves]
        yield "stage", [Entry(id="1", name="To pack"), Entry(id="2", name="Packed")]
