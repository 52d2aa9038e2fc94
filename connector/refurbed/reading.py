"""Reading refurbed's messages: ids, amounts and times come as text; what is missing or mistyped is said by name.

Fields that are unset may be absent, so an absent amount that need not be there is nothing, and an absent text is None.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from connector import Payload, fields
from connector.fields import ZERO, moment
from connector.records import Identifier, IdentifierKind

CENT = Decimal("0.01")


class Fields(fields.Fields):
    """One message."""

    def amount(self, name: str) -> Decimal:
        """An amount of money, which has whole cents; absent is zero."""
        made = super().amount(name)
        if made != made.quantize(CENT):
            raise self.wrong(name, "an amount with at most two decimals")
        return made.quantize(CENT)

    def inner(self, name: str) -> Fields:
        """A message within; absent is empty."""
        value = self.value(name)
        return Fields(self.of, {} if value is None else value, f"{self.path}{name}.")


def paid_and_refunded(data: Fields) -> tuple[Decimal, Decimal]:
    """Of an item or an order. What is unset may be absent, a zero too: then it is what the other one leaves of the total
    charged, so that a gap in an answer never looks as if nothing had gone back."""
    paid, refunded = data.some_amount("total_paid"), data.some_amount("total_refunded")
    if paid is None and refunded is None:
        raise data.wrong("total_paid", "a number")
    if paid is None:
        return data.needed_amount("total_charged") - data.amount("total_refunded"), data.amount("total_refunded")
    if refunded is None:
        return data.amount("total_paid"), data.needed_amount("total_charged") - data.amount("total_paid")
    return data.amount("total_paid"), data.amount("total_refunded")


def identifiers(item: Fields, old: str) -> tuple[Identifier, ...]:
    """Of the very device. `old` names the deprecated field, which is read where the list is empty."""
    made = [_identifier(one) for one in item.rows("item_identifiers") if one.text("value")]
    if not made and (value := item.text(old)):
        made.append(Identifier.of(value))
    return tuple(dict.fromkeys(made))


def _identifier(one: Fields) -> Identifier:
    """What is called an IMEI and has not its 15 digits is kept, as a serial number."""
    value = one.needed("value")
    if one.text("identifier_type") == "SERIAL_NUMBER":
        return Identifier(kind=IdentifierKind.SERIAL, value=value)
    return Identifier.of(value)


def fingerprint(payload: Payload) -> str:
    """The lists have no version and no time of the last change."""
    text = json.dumps(payload, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


__all__ = ["CENT", "ZERO", "Fields", "fingerprint", "identifiers", "moment", "paid_and_refunded"]
