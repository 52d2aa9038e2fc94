"""The settings of an order import into Magento, as the settings page shows them.

What Mage2Plenty's order import has (its own names), and why it is not here, or otherwise:

`create_new_product`
    imports an article first that an order needs. No articles are exchanged here; an order with an article that the shop
    does not have fails by name.
`is_active_backorder`, of new orders and of shipments
    sells and ships what the shop has not in stock. Magento's REST has no such word in a cart or a shipment; only an article
    or the whole shop can be set to allow backorders, for every customer. Where it is, that holds here as well.
`referer_id`
    of new orders: Magento's orders have no such field. Where an order came from stands in its comment.
`default_shipping_profile`
    is the default carrier here. A new order gets one shipping method (`default_shipping_method`): its price is the shop's.
`is_active_tracking_number`
    is off there and on here: its number is what people wait for of a shipment.
`attribute_mapping`
    fills attributes of the order. REST cannot change those of an order that exists: here they become comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import fields

from connector.settings import (
    ACTIONS,
    ATTRIBUTES,
    CONFIGURATION,
    CREDIT_MEMO,
    CUSTOMER,
    INCOMPLETE,
    INVOICE,
    PAYMENT,
    SHIPMENT,
    STATUSES,
    STORES,
    Choice,
    Choices,
    Row,
    Section,
    Settings,
    ValueMap,
    between,
    ident,
    one_of,
    setting,
)

FALLBACK_METHOD = "plentyone"
PAYMENT_STATUSES = ("unpaid", "partlyPaid", "fullyPaid", "overpaid")
PAYMENT_STATUS_WORDS = ("Unpaid", "Partly paid", "Fully paid", "Overpaid")
# an import's settings come in another order than an export's
BUYER = replace(CUSTOMER, position=45)
ADDRESS_PLACES = ("company", "firstname", "middlename", "lastname", "prefix", "suffix", "street")
ADDRESS_PLACE_WORDS = (
    "Company", "First name", "Middle name", "Last name", "Prefix", "Suffix", "Street, as a line of its own",
)  # fmt: skip
ADDRESS_FIELDS = {"company": "company", "firstname": "firstname", "lastname": "lastname", "care_of": "street"}
OUTCOMES = replace(STATUSES, position=58)
MISMATCH, UNREFUNDED = "status_mismatch", "missing_creditmemos"
STRATEGIES = ("missing_shipments", "missing_invoices", UNREFUNDED, "stuck_in_processing", MISMATCH)
STRATEGY_WORDS = (
    "Missing shipments", "Missing invoices", "Missing credit memos", "Stuck in processing", "Status differs",
)  # fmt: skip
FINAL_STATUSES = ["complete", "canceled", "closed"]


class MethodName(fields.String):
    """A method code as a person types it: blanks around it and capitals are no difference."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).strip().lower()


class CarrierRow(Settings):
    carrier_code = setting(
        fields.String(load_default=None),
        section=SHIPMENT,
        label="Carrier code",
        help="As the shop knows the carrier: dhl, ups, fedex, usps or a module's own. Empty: the default below.",
    )
    title = setting(fields.String(load_default=None), section=SHIPMENT, label="Title")


def _on(*switches: str) -> dict[str, tuple[bool]]:
    return dict.fromkeys(switches, (True,))


def _switch(section: Section, label: str, help: str = "", *, default: bool = False, when: Any = None) -> Any:
    return setting(fields.Boolean(), section=section, label=label, help=help, default=default, when=when)


def _statuses(section: Section, label: str, *switches: str) -> Any:
    """A list that its switch needs: empty it would mean every status or none."""
    source = Choices("order_status", side="source")
    return setting(source, section=section, label=label, required=True, when=_on(*switches))


class OrderOptions(Settings):
    """How orders, deliveries and credit notes of the other side are brought to the shop. Conditions of one document
    combine with or; while none is switched on, it is always made, a shipment as soon as goods have left."""

    @classmethod
    def upgrade(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A store mapping as the export has it, `{store view: {webstore: client}}`, says the same the other way round; of
        several store views of a client the first one counts."""
        rows = given.get("store_mapping")
        if isinstance(rows, Mapping) and any(isinstance(row, Mapping) and row.get("webstore") for row in rows.values()):
            turned: dict[str, Any] = {}
            for view, row in rows.items():
                client = row.get("webstore") if isinstance(row, Mapping) else None
                turned.setdefault(ident(client) if client else view, view if client else row)
            given = {**given, "store_mapping": turned}
        return given

    import_foreign_orders = _switch(
        CONFIGURATION,
        "Import foreign orders",
        "Off: orders that did not come from this shop are skipped.",
        default=True,
    )
    store_mapping = setting(
        ValueMap("webstore", Choice("store")),
        section=STORES,
        label="Store mapping",
        help="Which store view belongs to a client (web store). It decides which order of the shop an order number means, "
        "and where new orders are placed. Without a row, an order is recognised by its number only while that is unique in "
        "the shop and currency and total agree.",
    )
    only_mapped_stores = _switch(
        STORES, "Only mapped stores", "Skip orders of clients that have no row in the store mapping."
    )
    unhold_order = _switch(
        ACTIONS, "Unhold order", "Release an order that is on hold when it reaches one of the statuses below."
    )
    unhold_statuses = _statuses(ACTIONS, "Unhold in these statuses", "unhold_order")
    cancel_order = _switch(
        ACTIONS,
        "Cancel order",
        "Cancel what is not invoiced yet when an order reaches one of the statuses below. No invoice and no shipment is "
        "made in these statuses.",
    )
    cancel_statuses = _statuses(ACTIONS, "Cancel in these statuses", "cancel_order")
    hold_order = _switch(ACTIONS, "Hold order", "Put an order on hold when it reaches one of the statuses below.")
    hold_statuses = _statuses(ACTIONS, "Hold in these statuses", "hold_order")
    create_new_order = _switch(
        ACTIONS,
        "Create new orders",
        "Place orders of other channels (marketplaces, by hand) in the shop. Off: what the shop does not have is skipped. "
        "Articles are found by SKU, and the shop reserves their stock. Magento's REST takes no prices: an order is placed "
        "only when the shop's own prices, taxes and shipping cost come to its total to the cent.",
    )
    send_new_order_email = _switch(
        ACTIONS,
        "Send new order e-mail",
        "Magento itself writes it when an order is placed, as its store view says (Stores > Configuration > Sales > Sales "
        "Emails > Order), and no call can hold it back. Off: a record says so where one was sent.",
        when=_on("create_new_order"),
    )
    create_customer = _switch(
        BUYER,
        "Create customer",
        "A new order belongs to the customer account with its e-mail. On: where there is none, one is created, and Magento "
        "writes a welcome mail. Off: it is a guest order then. It is one as well while the customer is filling the cart in "
        "the shop.",
        when=_on("create_new_order"),
    )
    create_customer_for_guest = _switch(
        BUYER,
        "Create customer for guests",
        "Guests get an account too.",
        default=True,
        when=_on("create_new_order", "create_customer"),
    )
    create_address = _switch(
        BUYER,
        "Save addresses",
        "Put billing and delivery address into the address book of a customer that is created.",
        when=_on("create_new_order", "create_customer"),
    )
    customer_group_mapping = setting(
        ValueMap("contact_class", Choice("customer_group")),
        section=BUYER,
        label="Customer group mapping",
        help="Which customer group a new customer of a customer class gets. Without a row: the default below.",
        when=_on("create_new_order", "create_customer"),
    )
    default_customer_group = setting(
        Choice("customer_group"), section=BUYER, label="Default customer group", when=_on("create_new_order")
    )
    address_field_mapping = setting(
        ValueMap("address_field", fields.String(validate=one_of(*ADDRESS_PLACES, labels=ADDRESS_PLACE_WORDS))),
        section=BUYER,
        label="Address field mapping",
        help="Where a field of the other side's address goes in a new order. Known are company, firstname, lastname, "
        "care_of, contact_person and post_number. Fields for the same place are joined; without a row a field is left out.",
        default=ADDRESS_FIELDS,
        when=_on("create_new_order"),
    )
    gender_mapping = setting(
        ValueMap("gender", fields.String()),
        section=BUYER,
        label="Gender mapping",
        help="Which name prefix of the shop stands for male, female or diverse, where an address has no prefix.",
        when=_on("create_new_order"),
    )
    payment_mapping = setting(
        ValueMap("payment_method", Choice("payment_method")),
        section=PAYMENT,
        label="Payment method mapping",
        help="Which payment method a new order gets. Without a row: the one below.",
        when=_on("create_new_order"),
    )
    payment_method_fallback = setting(
        MethodName(),
        section=PAYMENT,
        label="Payment method of all others",
        help="Code of a method that is switched on in the shop. plentyone is an offline method that a module brings; "
        "checkmo or banktransfer do as well.",
        default=FALLBACK_METHOD,
        placeholder=FALLBACK_METHOD,
        when=_on("create_new_order"),
    )
    default_shipping_method = setting(
        Choice("shipping_method"),
        section=PAYMENT,
        label="Shipping method of new orders",
        help="As carrier_method, for example flatrate_flatrate. Empty: the only one that the shop offers for the order.",
        when=_on("create_new_order"),
    )

    create_invoice = _switch(INVOICE, "Create invoice", "Invoice everything that is not invoiced yet.")
    invoice_excluded_methods = setting(
        Choices("payment_method"),
        section=INVOICE,
        label="Never for these payment methods",
        help="Of the shop. It comes before all conditions.",
        when=_on("create_invoice"),
    )
    invoice_status_condition = _switch(INVOICE, "When the status is one of these", when=_on("create_invoice"))
    invoice_statuses = _statuses(INVOICE, "Statuses for an invoice", "create_invoice", "invoice_status_condition")
    invoice_payment_condition = _switch(INVOICE, "When the payment status is one of these", when=_on("create_invoice"))
    invoice_payment_statuses = setting(
        fields.List(fields.String(validate=one_of(*PAYMENT_STATUSES, labels=PAYMENT_STATUS_WORDS))),
        section=INVOICE,
        label="Payment statuses for an invoice",
        required=True,
        when=_on("create_invoice", "invoice_payment_condition"),
    )
    invoice_zero_totals = _switch(INVOICE, "When there is nothing to pay", when=_on("create_invoice"))
    invoice_document_condition = _switch(INVOICE, "When an invoice document exists", when=_on("create_invoice"))
    invoice_capture = setting(
        fields.String(validate=one_of("offline", "online", labels=("Offline", "Online"))),
        section=INVOICE,
        label="Capture",
        help="Offline: no payment provider is charged. Online: Magento captures the payment where its method can.",
        default="offline",
        when=_on("create_invoice"),
    )
    send_invoice_email = _switch(INVOICE, "Send invoice e-mail", when=_on("create_invoice"))

    create_shipment = _switch(
        SHIPMENT,
        "Create shipment",
        "Ship what left the warehouse. While no condition is switched on: when the outgoing items are booked or a package "
        "has a tracking number.",
    )
    shipment_status_condition = _switch(SHIPMENT, "When the status is one of these", when=_on("create_shipment"))
    shipment_statuses = _statuses(SHIPMENT, "Statuses for a shipment", "create_shipment", "shipment_status_condition")
    shipment_document_condition = _switch(SHIPMENT, "When a delivery note exists", when=_on("create_shipment"))
    shipment_tracking_condition = _switch(SHIPMENT, "When there is a tracking number", when=_on("create_shipment"))
    import_tracking = _switch(
        SHIPMENT,
        "Import tracking numbers",
        "Those of all packages; one that comes later is added to its shipment.",
        default=True,
    )
    shipping_mapping = setting(
        ValueMap("shipping_profile", Row(CarrierRow)),
        section=SHIPMENT,
        label="Carrier mapping",
        help="Which carrier a shipping profile stands for. Without a row: the default below, with the profile's name.",
    )
    default_carrier = setting(
        fields.String(),
        section=SHIPMENT,
        label="Default carrier code",
        help="custom is Magento's word for a carrier that it does not know.",
        default="custom",
        placeholder="custom",
    )
    use_profile_title = _switch(
        SHIPMENT, "Shipping profile's name as title", "On: it is the carrier's title even where the mapping has one."
    )
    source_mapping = setting(
        ValueMap("warehouse", fields.String()),
        section=SHIPMENT,
        label="Inventory source mapping",
        help="From which of Magento's inventory sources (its code) the goods of a warehouse are taken. Without a row: the "
        "shop's default source.",
        when=_on("create_shipment"),
    )
    send_shipment_email = _switch(SHIPMENT, "Send shipment e-mail", when=_on("create_shipment"))

    create_credit_memo = _switch(
        CREDIT_MEMO, "Create credit memo", "Each credit note becomes a credit memo over the same amount."
    )
    credit_memo_status_condition = _switch(
        CREDIT_MEMO, "When the status is one of these", when=_on("create_credit_memo")
    )
    credit_memo_statuses = _statuses(
        CREDIT_MEMO, "Statuses for a credit memo", "create_credit_memo", "credit_memo_status_condition"
    )
    credit_memo_document_condition = _switch(
        CREDIT_MEMO, "When a credit note document exists", when=_on("create_credit_memo")
    )
    refund_capture_case = setting(
        fields.String(validate=one_of("offline", "online", labels=("Offline", "Online where it was captured online"))),
        section=CREDIT_MEMO,
        label="Refund",
        help="Offline: the credit memo is only written down. Online: Magento has the payment provider pay the money back, "
        "of orders whose invoice was captured online; all others are refunded offline.",
        default="offline",
        when=_on("create_credit_memo"),
    )
    return_to_stock = _switch(
        CREDIT_MEMO,
        "Return to stock",
        "Off where the stock comes from elsewhere anyway.",
        when=_on("create_credit_memo"),
    )
    send_credit_memo_email = _switch(CREDIT_MEMO, "Send credit memo e-mail", when=_on("create_credit_memo"))

    status_mapping = setting(
        ValueMap("order_status", Choice("order_status")),
        section=OUTCOMES,
        label="Order status mapping",
        help="Which of the shop's statuses an order gets when it reaches a status. Magento allows only statuses of the "
        "state that the order is in. Without a row the order keeps its status.",
    )

    incomplete_detection_enabled = _switch(
        INCOMPLETE,
        "Look for incomplete orders",
        "Every four hours, orders that should have come further by now are read and treated again.",
    )
    incomplete_min_age_days = setting(
        fields.Integer(validate=between(0, 365)),
        section=INCOMPLETE,
        label="Age from (days)",
        default=2,
        when=_on("incomplete_detection_enabled"),
    )
    incomplete_max_age_days = setting(
        fields.Integer(validate=between(1, 3650)),
        section=INCOMPLETE,
        label="Age to (days)",
        default=30,
        when=_on("incomplete_detection_enabled"),
    )
    incomplete_strategies = setting(
        fields.List(fields.String(validate=one_of(*STRATEGIES, labels=STRATEGY_WORDS))),
        section=INCOMPLETE,
        label="What is looked for",
        help="Status differs: an order that no longer has the status which the mapping gave it gets it again. Missing "
        "credit memos: what was paid of an order that is cancelled in the shop or on the other side; canceled and closed "
        "orders are looked at for it whatever stands below.",
        default=[one for one in STRATEGIES if one != UNREFUNDED],
        when=_on("incomplete_detection_enabled"),
    )
    incomplete_excluded_statuses = setting(
        Choices("order_status"),
        section=INCOMPLETE,
        label="Never in these statuses",
        default=FINAL_STATUSES,
        when=_on("incomplete_detection_enabled"),
    )
    incomplete_batch_limit = setting(
        fields.Integer(validate=between(1, 1000)),
        section=INCOMPLETE,
        label="Orders per run",
        default=500,
        when=_on("incomplete_detection_enabled"),
    )

    attribute_mapping = setting(
        ValueMap("order_property", fields.String()),
        section=ATTRIBUTES,
        label="Attribute mapping",
        help="Magento's REST cannot change an attribute of an order that exists. Each property is therefore written as a "
        "line of the order's comments, under the name given here.",
    )
