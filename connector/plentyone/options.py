"""The settings of an order export to PlentyONE, as the settings page shows them."""

from __future__ import annotations

from marshmallow import fields

from connector.settings import (
    ALL_SCOPES,
    ATTRIBUTES,
    CREDIT_MEMO,
    CUSTOMER,
    INVOICE,
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
PLACES = tuple(f"{part}{n}" for part in ("name", "address") for n in range(1, 5))
PLACE_WORDS = (
    "Company (name1)", "First name (name2)", "Last name (name3)", "Additional name, c/o (name4)",
    "Street (address1)", "House number (address2)", "Address addition (address3)", "More of the address (address4)",
)  # fmt: skip
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


class TagRow(Settings):
    tag = setting(Choice("tag", required=True), section=STATUSES, label="Tag", required=True)
    second_tag = setting(Choice("tag", load_default=None), section=STATUSES, label="Another tag")


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
        help="The origin shown on the order, its items and its contact. Empty: for orders of a market the referrer of its "
        "name, else 1, the web shop.",
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
    tag_mapping = setting(
        ValueMap("order_status", Row(TagRow)),
        section=STATUSES,
        label="Tags per status",
        help="Which tags an order gets in PlentyONE once it has this status in the shop. Tags that it has are never taken "
        "away again.",
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
    create_invoice_document = setting(
        fields.Boolean(),
        section=INVOICE,
        label="Generate invoice document",
        help="Once the shop has an invoice of the order, PlentyONE generates its own, unless it has one already. PlentyONE "
        "locks an order with an invoice: addresses that change later are not sent then.",
        default=False,
    )
    create_credit_note = setting(
        fields.Boolean(),
        section=CREDIT_MEMO,
        label="Create credit note",
        help="A credit memo of the shop becomes a credit note of the order in PlentyONE, with the same total to the cent. "
        "What single items do not come to (a discount, an adjustment) stands on it as an item of its own.",
        default=False,
    )
    credit_note_document = setting(
        fields.Boolean(),
        section=CREDIT_MEMO,
        label="Generate credit note document",
        help="PlentyONE also generates the document of each credit note that is created here.",
        default=False,
    )
    cancel_on_credit_note = setting(
        fields.Boolean(),
        section=CREDIT_MEMO,
        label="Cancel the order with its credit note",
        help="An order that was refunded as a whole is cancelled in PlentyONE once its credit note is there. Otherwise it "
        "gets the status that is mapped.",
        default=False,
    )
    create_shipment = setting(
        fields.Boolean(),
        section=SHIPPING,
        label="Create shipment",
        help="Each tracking number of the shop's shipments becomes a package of the order in PlentyONE. Outgoing items are "
        "never booked, and the shipping profile is always written to the order. It has to be on for all stores; a single "
        "store may switch it off.",
        default=False,
        scopes=ALL_SCOPES,
    )
    default_shipping_package = setting(
        Choice("package_type"),
        section=SHIPPING,
        label="Default shipping package",
        help="Which package a tracking number gets. Empty: the first one that PlentyONE has.",
        scopes=ALL_SCOPES,
    )
    create_delivery_note = setting(
        fields.Boolean(),
        section=SHIPPING,
        label="Generate delivery note",
        help="Once the shop has a shipment of the order, PlentyONE generates a delivery note, unless it has one already.",
        default=False,
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
            fields.String(validate=one_of(*PLACES, labels=PLACE_WORDS)),
        ),
        section=CUSTOMER,
        label="Address field mapping",
        help="Which field of the shop's address goes to name1 to name4 or address1 to address4. Known are company, "
        "firstname, middlename, lastname, prefix, suffix, street, region, phone, fax, vat_id, additional and the "
        "shop's own fields. Fields for the same place are joined. Without a row for street, the street goes to address1 and "
        "the house number to address2.",
        default=ADDRESS_FIELDS,
        scopes=ALL_SCOPES,
    )
    post_number_field = setting(
        fields.String(),
        section=CUSTOMER,
        label="Field of the post number",
        help="Addresses of parcel lockers and post offices are recognised by their street (Packstation 123, Postfiliale "
        "502). The customer's post number is looked for in the street and the company. Where a module keeps it in a field "
        "of the address, enter that field here.",
        placeholder="custom_attributes.dhl_post_number",
        scopes=ALL_SCOPES,
    )
    gender_mapping = setting(
        ValueMap(
            "prefix", fields.String(validate=one_of("male", "female", "diverse", labels=("Male", "Female", "Diverse")))
        ),
        section=CUSTOMER,
        label="Gender mapping",
        help="Which gender a name prefix stands for.",
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
        fields.String(validate=one_of("coupon", "line", labels=("Coupon items", "Discount on each item"))),
        section=ITEMS,
        label="Discount as",
        help="Coupon items: one negative coupon item for each VAT rate. Otherwise each item shows its own discount.",
        default="coupon",
        scopes=ALL_SCOPES,
    )
    bundle_as = setting(
        fields.String(validate=one_of("components", "parent", labels=("Its chosen parts", "One item"))),
        section=ITEMS,
        label="Bundle as",
        help="Its chosen parts: each is an item of its own and carries its price. One item: the bundle itself, PlentyONE "
        "knows its parts.",
        default="components",
        scopes=ALL_SCOPES,
    )
    unknown_sku = setting(
        fields.String(
            validate=one_of("unassigned", "fail", labels=("Send without variation", "Do not export the order"))
        ),
        section=ITEMS,
        label="Unknown SKU",
        help="What is done with an item whose SKU PlentyONE does not know. Without a variation it is assigned in PlentyONE "
        "by hand.",
        default="unassigned",
        scopes=ALL_SCOPES,
    )
    residual = setting(
        fields.String(validate=one_of("fail", "line", labels=("Do not export the order", "Add a surcharge item"))),
        section=ITEMS,
        label="Unexplained amount",
        help="When the shop's grand total holds an amount that no line explains. A surcharge item gets its likely name.",
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
