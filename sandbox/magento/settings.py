"""What a test may switch in the shop."""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(kw_only=True)
class Settings:
    """One shop's configuration; every field is set by the control action `configure`."""

    consumer_key: str = "ck"
    consumer_secret: str = "cs"
    access_token: str = "at"
    access_token_secret: str = "ats"
    consumer_id: int = 3
    integration_as_bearer: bool = False  # off by default since 2.4.4
    admin_user: str = "admin"
    admin_password: str = "admin123"
    token_hours: float = 4
    two_factor: bool = False  # the token route then refuses every password
    past_end: str = "empty"  # or "repeat": up to 2.3.x
    max_page_size: int | None = None
    default_page_size: int | None = None
    gateway_timeout_above: int | None = None  # a page of more rows than this dies in the gateway
    broken_orders: list[int] = field(default_factory=list)  # entity ids that kill every answer they are in
    broken_with: int = 404  # or 500
    maintenance: bool = False
    firewall: bool = False  # 200 with an HTML page
    wrong_scheme: bool = False  # the shop does not know that its proxy speaks https
    saas_tenant: str | None = None  # "/<tenant>/V1/..." with header Store and an IMS token
    ims_token: str = "ims-token"
    old_comments: bool = False  # 2.3.x stores any status, and none when none was sent
    comment_touches: bool = False  # whether a comment without a new status moves updated_at
    version: str | None = "Magento/2.4 (Enterprise)"  # None: the shop hides it
    refuse_offline_refund: bool = True  # of what was captured online, as the documentation says
    refund_needs_items: bool = False  # older 2.4 refuses a credit memo over money alone
    bare_papers: bool = False  # lists of invoices, shipments and credit memos show neither lines nor comments
    shipping_refund_incl_tax: bool = False  # whether shipping_amount of a refund is meant with tax
    new_order_mail: bool = True  # placing a cart's order writes the customer a mail; no call can say otherwise
    payment_methods: list[str] = field(
        default_factory=lambda: ["checkmo", "banktransfer", "cashondelivery", "purchaseorder", "plentyone"]
    )  # for carts; "free" is added where nothing is to pay
    statuses: dict[str, str] = field(
        default_factory=lambda: {
            "pending": "new",
            "awaiting_stock": "new",
            "pending_payment": "pending_payment",
            "processing": "processing",
            "in_production": "processing",
            "packed": "processing",
            "complete": "complete",
            "closed": "closed",
            "canceled": "canceled",
            "holded": "holded",
            "payment_review": "payment_review",
            "fraud": "payment_review",
        }
    )

    def change(self, given: dict[str, Any]) -> None:
        """ValueError for a name that is no setting or a value of another kind."""
        names = {one.name for one in fields(self)}
        for name, value in given.items():
            if name not in names:
                raise ValueError(f"{name!r} is no setting; there are {', '.join(sorted(names))}.")
            default = getattr(Settings(), name)
            if isinstance(default, bool) and not isinstance(value, bool):
                raise ValueError(f"{name} is true or false, not {value!r}.")
        if given.get("past_end", "empty") not in ("empty", "repeat"):
            raise ValueError(f"past_end is 'empty' or 'repeat', not {given['past_end']!r}.")
        for name, value in given.items():
            setattr(self, name, value)
