"""Numbers as a PHP shop keeps and writes them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)
CENT = Decimal("0.01")


def cents(value: Decimal) -> Decimal:
    """Rounded to two places, half away from zero."""
    return value.quantize(CENT, ROUND_HALF_UP)


def number(value: Any) -> Decimal:
    """A number of a payload; absent counts as 0."""
    return Decimal(str(value or 0))


def plain(value: Decimal) -> Decimal | int:
    """As PHP writes it: without trailing zeros, a whole number without a point."""
    return int(value) if value == value.to_integral_value() else value.normalize()
