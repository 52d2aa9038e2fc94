"""The settings of an order export to PlentyONE, as the settings page shows them."""

from __future__ import annotations

from marshmallow import fields

from connector.settings import (
    ALL_SCOPES,
    ATTRIBUTES,
    CUSTOMER,
    ITEMS,
    PAYMENT,
    SHIPPING,
    STATUSES,
    STORES,
    WAREHOUSE,
    Choice,
    Row,
    Settings,
    ValueMap,
    one_of,
    setting,
)

ADDRESS_FIELDS = {"company": "name1", "firstname": "name2", "lastname": "name3"}
GENDERS = {
    "Herr": "male", "Mr": "male", "Mr.": "male", "Frau": "female", "Mrs": "female", "Mrs.": "female",
    "Ms": "female", "Ms.": "female", "Miss": "female",
}  # fmt: skip


class StoreRow(Settings):
    webstore = setting(
        Choice("webstore", required=True), section=STORES, label="Client (web store)", scopes=ALL_SCOPES, required=True
    )
    language = setting(
        Choice("language", load_default=None),
        section=STORES,
        label="Language",
        help="Of documents and e-mails. Empty: the client's own language.",
        scopes=ALL_SCOPES,
    )


class PaymentRow(Settings):
    method_id = setting(
        Choice("payment_method", required=True),
        section=PAYMENT,
        label="Payment method",
        scopes=ALL_SCOPES,
        required=True,
    )
    create_payment = setting(
        fields.Boolean(load_default=True),
        section=PAYMENT,
        label="Create payment for this method?",
        default=True,
        scopes=ALL_SCOPES,
    )
    submit_unconfirmed = setting(
        fields.Boolean(load_default=False),
        section=PAYMENT,
        label="Also while unpaid",
        help="Create a payment that awaits approval before the money has come in.",
        default=False,
        scopes=ALL_SCOPES,
    )


class OrderOptions(Settings):
    """How orders are written to PlentyONE."""

    store_mapping = setting(
        ValueMap("store", Row(StoreRow)),
        section=STORES,
        label="Store mapping",
        help="Which PlentyONE client and language the orders of a store belong to. A store without a row uses the "
        "first client that was collected.",
    )
    only_mapped_stores = setting(
        fields.Boolean(),
        section=STORES,
        label="Only mapped stores",
        help="Skip orders of stores that have no row in the store mapping.",
        default=False,
    )
    referrer_id = setting(
        Choice("referrer"),
        section=STORES,
        label="Order referrer ID",
        help="The origin shown on the order, its items and its contact. Empty: 1, the web shop.",
        scopes=ALL_SCOPES,
    )
    status_mapping = setting(
        ValueMap("order_status", Choice("order_status")),
        section=STATUSES,
        label="Order status mapping",
        help="Which PlentyONE status an order gets. While an order's status has no row, no order is sent. An order without "
        "any status is left to PlentyONE's own first status.",
        required=True,
        scopes=ALL_SCOPES,
    )
    create_payment = setting(
        fields.Boolean(),
        section=PAYMENT,
        label="Create payment",
        help="Book what was paid in the shop as a payment and assign it to the order.",
        default=True,
        scopes=ALL_SCOPES,
    )
    payment_mapping = setting(
        ValueMap("payment_method", Row(PaymentRow)),
        section=PAYMENT,
        label="Payment method mapping",
        help="Which PlentyONE payment method an order gets. While an order's method has no row, no order is sent.",
        required=True,
        scopes=ALL_SCOPES,
    )
    create_shipment = setting(
        fields.Boolean(),
        section=SHIPPING,
        label="Create shipment",
        help="The shipping profile is always written to the order and its items. Packages and tracking numbers are not "
        "sent yet and outgoing items are never booked: shipping is left to PlentyONE, whether this is on or off.",
        default=False,
        scopes=ALL_SCOPES,
    )
    shipping_mapping = setting(
        ValueMap("shipping_method", Choice("shipping_profile")),
        section=SHIPPING,
        label="Shipping method mapping",
        help="Which shipping profile a shipping method of the shop gets. Without a row: the default below.",
        scopes=ALL_SCOPES,
    )
    default_shipping_profile = setting(
        Choice("shipping_profile"),
        section=SHIPPING,
        label="Default shipping profile",
        required=True,
        scopes=ALL_SCOPES,
    )
    create_customer = setting(
        fields.Boolean(),
        section=CUSTOMER,
        label="Create customer",
        help="Find or create a contact for the customer. Off: the order carries the addresses only.",
        default=True,
        scopes=ALL_SCOPES,
    )
    create_customer_for_guest = setting(
        fields.Boolean(),
        section=CUSTOMER,
        label="Create customer for guests",
        help="Guests get a contact too, one for each e-mail address and client.",
        default=True,
        scopes=ALL_SCOPES,
    )
    customer_class_mapping = setting(
        ValueMap("customer_group", Choice("contact_class")),
        section=CUSTOMER,
        label="Customer class mapping",
        help="Which customer class a new contact gets. Without a row: the default below.",
        scopes=ALL_SCOPES,
    )
    default_customer_class = setting(
        Choice("contact_class"), section=CUSTOMER, label="Default customer class", scopes=ALL_SCOPES
    )
    address_field_mapping = setting(
        ValueMap(
            "address_field",
            fields.String(validate=one_of(*(f"{part}{n}" for part in ("name", "address") for n in range(1, 5)))),
        ),
        section=CUSTOMER,
        label="Address field mapping",
        help="Which field of the shop's address goes to name1 to name4 or address1 to address4. Known are company, "
        "firstname, middlename, lastname, prefix, suffix, street, region, phone, fax, vat_id and the shop's own "
        "fields. Fields for the same place are joined. Without a row for street, the street goes to address1 and "
        "the house number to address2.",
        default=ADDRESS_FIELDS,
        scopes=ALL_SCOPES,
    )
    gender_mapping = setting(
        ValueMap("prefix", fields.String(validate=one_of("male", "female", "diverse"))),
        section=CUSTOMER,
        label="Gender mapping",
        help="Which gender a name prefix stands for: male, female or diverse.",
        default=GENDERS,
        scopes=ALL_SCOPES,
    )
    warehouse_id = setting(
        Choice("warehouse"), section=WAREHOUSE, label="Main warehouse ID", required=True, scopes=ALL_SCOPES
    )
    warehouse_on_items = setting(
        fields.Boolean(),
        section=WAREHOUSE,
        label="Warehouse on items",
        help="Write the main warehouse to each item. Off: to the order only, PlentyONE chooses for each item.",
        default=True,
        scopes=ALL_SCOPES,
    )
    discount_as = setting(
        fields.String(validate=one_of("coupon", "line")),
        section=ITEMS,
        label="Discount as",
        help="coupon: one negative coupon item for each VAT rate. line: a discount on each item.",
        default="coupon",
        scopes=ALL_SCOPES,
    )
    bundle_as = setting(
        fields.String(validate=one_of("components", "parent")),
        section=ITEMS,
        label="Bundle as",
        help="components: the chosen parts as single items, which carry the price. parent: the bundle as one item, "
        "PlentyONE knows its parts.",
        default="components",
        scopes=ALL_SCOPES,
    )
    unknown_sku = setting(
        fields.String(validate=one_of("unassigned", "fail")),
        section=ITEMS,
        label="Unknown SKU",
        help="unassigned: send the item without a variation, to be assigned in PlentyONE. fail: do not export the "
        "order.",
        default="unassigned",
        scopes=ALL_SCOPES,
    )
    residual = setting(
        fields.String(validate=one_of("fail", "line")),
        section=ITEMS,
        label="Unexplained amount",
        help="When the shop's grand total holds an amount that no line explains. fail: do not export the order. line: "
        "add it as a surcharge item under its likely name.",
        default="fail",
        scopes=ALL_SCOPES,
    )
    attribute_mapping = setting(
        ValueMap("order_attribute", Choice("order_property")),
        section=ATTRIBUTES,
        label="Attribute mapping",
        help="Which attribute of the shop's order goes to which order property.",
        scopes=ALL_SCOPES,
    )
