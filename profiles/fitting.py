"""Texts from outside made fit for a column: what a system sends may be longer than it, or no text that can be stored.

PostgreSQL refuses NUL, no database takes half a character (a lone surrogate, which JSON can hold), and a text that is
too long stops a whole page. What is stored is for reading and finding; what is sent is made from the payload itself.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

ODD = re.compile("[\0\ud800-\udfff]")
INSTEAD = "\ufffd"


def fit(value: Any, length: int | None = None) -> str:
    """The text, clipped; what cannot be stored is replaced."""
    text = value if isinstance(value, str) else str(value)
    if length is not None and len(text) > length:
        text = text[: length - 1] + "…"
    return text if text.isascii() and "\0" not in text else ODD.sub(INSTEAD, text)


def fit_key(value: Any, length: int) -> str:
    """As `fit`, but two that differ never become the same: one that had to be changed ends with its fingerprint."""
    text = value if isinstance(value, str) else str(value)
    made = fit(text, length)
    if made == text:
        return text
    mark = "~" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return ODD.sub(INSTEAD, text[: length - len(mark)]) + mark
