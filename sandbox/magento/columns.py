"""The columns that a filter or a sort may name, per kind of row."""

from sandbox.magento.search import Table

TIMES = frozenset({"created_at", "updated_at"})


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ORDERS_TEXT = _names(
    """
    applied_rule_ids base_currency_code coupon_code customer_dob customer_email customer_firstname
    customer_lastname customer_middlename customer_note customer_prefix customer_suffix customer_taxvat
    discount_description ext_customer_id ext_order_id global_currency_code hold_before_state
    hold_before_status increment_id order_currency_code original_increment_id protect_code
    relation_child_id relation_child_real_id relation_parent_id relation_parent_real_id remote_ip
    shipping_description state status store_currency_code store_name x_forwarded_for
    """
)
_ORDERS_NUMBERS = _names(
    """
    adjustment_negative adjustment_positive base_adjustment_negative base_adjustment_positive
    base_discount_amount base_discount_canceled base_discount_invoiced base_discount_refunded
    base_discount_tax_compensation_amount base_discount_tax_compensation_invoiced
    base_discount_tax_compensation_refunded base_grand_total base_shipping_amount base_shipping_canceled
    base_shipping_discount_amount base_shipping_discount_tax_compensation_amnt base_shipping_incl_tax
    base_shipping_invoiced base_shipping_refunded base_shipping_tax_amount base_shipping_tax_refunded
    base_subtotal base_subtotal_canceled base_subtotal_incl_tax base_subtotal_invoiced
    base_subtotal_refunded base_tax_amount base_tax_canceled base_tax_invoiced base_tax_refunded
    base_to_global_rate base_to_order_rate base_total_canceled base_total_due base_total_invoiced
    base_total_invoiced_cost base_total_offline_refunded base_total_online_refunded base_total_paid
    base_total_qty_ordered base_total_refunded billing_address_id can_ship_partially
    can_ship_partially_item customer_gender customer_group_id customer_id customer_is_guest
    customer_note_notify discount_amount discount_canceled discount_invoiced discount_refunded
    discount_tax_compensation_amount discount_tax_compensation_invoiced
    discount_tax_compensation_refunded edit_increment email_sent entity_id forced_shipment_with_invoice
    grand_total is_virtual payment_auth_expiration payment_authorization_amount quote_address_id
    quote_id shipping_amount shipping_canceled shipping_discount_amount
    shipping_discount_tax_compensation_amount shipping_incl_tax shipping_invoiced shipping_refunded
    shipping_tax_amount shipping_tax_refunded store_id store_to_base_rate store_to_order_rate subtotal
    subtotal_canceled subtotal_incl_tax subtotal_invoiced subtotal_refunded tax_amount tax_canceled
    tax_invoiced tax_refunded total_canceled total_due total_invoiced total_item_count
    total_offline_refunded total_online_refunded total_paid total_qty_ordered total_refunded weight
    """
)
ORDERS = Table(key="entity_id", text=_ORDERS_TEXT, columns=_ORDERS_TEXT | _ORDERS_NUMBERS | TIMES)

_ITEMS_TEXT = _names(
    """
    additional_data applied_rule_ids description ext_order_item_id name product_type sku
    weee_tax_applied
    """
)
_ITEMS_NUMBERS = _names(
    """
    amount_refunded base_amount_refunded base_cost base_discount_amount base_discount_invoiced
    base_discount_refunded base_discount_tax_compensation_amount base_discount_tax_compensation_invoiced
    base_discount_tax_compensation_refunded base_original_price base_price base_price_incl_tax
    base_row_invoiced base_row_total base_row_total_incl_tax base_tax_amount base_tax_before_discount
    base_tax_invoiced base_tax_refunded base_weee_tax_applied_amount base_weee_tax_applied_row_amnt
    base_weee_tax_disposition base_weee_tax_row_disposition discount_amount discount_invoiced
    discount_percent discount_refunded discount_tax_compensation_amount
    discount_tax_compensation_canceled discount_tax_compensation_invoiced
    discount_tax_compensation_refunded event_id free_shipping gw_base_price gw_base_price_invoiced
    gw_base_price_refunded gw_base_tax_amount gw_base_tax_amount_invoiced gw_base_tax_amount_refunded
    gw_id gw_price gw_price_invoiced gw_price_refunded gw_tax_amount gw_tax_amount_invoiced
    gw_tax_amount_refunded is_qty_decimal is_virtual item_id locked_do_invoice locked_do_ship
    no_discount order_id original_price parent_item_id price price_incl_tax product_id qty_backordered
    qty_canceled qty_invoiced qty_ordered qty_refunded qty_returned qty_shipped quote_item_id
    row_invoiced row_total row_total_incl_tax row_weight store_id tax_amount tax_before_discount
    tax_canceled tax_invoiced tax_percent tax_refunded weee_tax_applied_amount
    weee_tax_applied_row_amount weee_tax_disposition weee_tax_row_disposition weight
    """
)
ITEMS = Table(key="item_id", text=_ITEMS_TEXT, columns=_ITEMS_TEXT | _ITEMS_NUMBERS | TIMES)

_CUSTOMERS_TEXT = _names(
    """
    confirmation created_in default_billing default_shipping dob email firstname lastname middlename
    prefix suffix taxvat
    """
)
_CUSTOMERS_NUMBERS = _names(
    """
    disable_auto_group_change entity_id gender group_id id store_id website_id
    """
)
CUSTOMERS = Table(key="id", text=_CUSTOMERS_TEXT, columns=_CUSTOMERS_TEXT | _CUSTOMERS_NUMBERS | TIMES)

_INVOICES_TEXT = _names(
    """
    base_currency_code discount_description global_currency_code increment_id order_currency_code
    store_currency_code transaction_id
    """
)
_INVOICES_NUMBERS = _names(
    """
    base_discount_amount base_discount_tax_compensation_amount base_grand_total base_shipping_amount
    base_shipping_discount_tax_compensation_amnt base_shipping_incl_tax base_shipping_tax_amount
    base_subtotal base_subtotal_incl_tax base_tax_amount base_to_global_rate base_to_order_rate
    base_total_refunded billing_address_id can_void_flag discount_amount
    discount_tax_compensation_amount email_sent entity_id grand_total is_used_for_refund order_id
    shipping_address_id shipping_amount shipping_discount_tax_compensation_amount shipping_incl_tax
    shipping_tax_amount state store_id store_to_base_rate store_to_order_rate subtotal subtotal_incl_tax
    tax_amount total_qty
    """
)
INVOICES = Table(key="entity_id", text=_INVOICES_TEXT, columns=_INVOICES_TEXT | _INVOICES_NUMBERS | TIMES)

_SHIPMENTS_TEXT = _names(
    """
    increment_id shipping_label
    """
)
_SHIPMENTS_NUMBERS = _names(
    """
    billing_address_id customer_id email_sent entity_id order_id shipment_status shipping_address_id
    store_id total_qty total_weight
    """
)
SHIPMENTS = Table(key="entity_id", text=_SHIPMENTS_TEXT, columns=_SHIPMENTS_TEXT | _SHIPMENTS_NUMBERS | TIMES)

GROUPS = Table(key="id", text=frozenset({"code"}), columns=frozenset({"id", "code", "tax_class_id"}))

_CREDITMEMOS_NUMBERS = _names(
    """
    adjustment adjustment_negative adjustment_positive base_adjustment base_adjustment_negative
    base_adjustment_positive base_discount_amount base_grand_total base_shipping_amount base_subtotal
    base_tax_amount billing_address_id creditmemo_status discount_amount email_sent entity_id grand_total
    invoice_id order_id shipping_address_id shipping_amount state store_id subtotal tax_amount
    """
)
CREDITMEMOS = Table(key="entity_id", text=_INVOICES_TEXT, columns=_INVOICES_TEXT | _CREDITMEMOS_NUMBERS | TIMES)

_SOURCES_TEXT = _names("source_code name description country_id city postcode")
SOURCES = Table(key="source_code", text=_SOURCES_TEXT, columns=_SOURCES_TEXT | {"enabled"})
STOCKS = Table(key="stock_id", text=frozenset({"name"}), columns=frozenset({"stock_id", "name"}))
_SOURCE_ITEMS_TEXT = _names("sku source_code")
SOURCE_ITEMS = Table(key="sku", text=_SOURCE_ITEMS_TEXT, columns=_SOURCE_ITEMS_TEXT | {"quantity", "status"})
_PRODUCTS_TEXT = _names("sku name type_id")
_PRODUCTS_NUMBERS = _names("entity_id id price status visibility attribute_set_id weight")
PRODUCTS = Table(key="id", text=_PRODUCTS_TEXT, columns=_PRODUCTS_TEXT | _PRODUCTS_NUMBERS | TIMES)
