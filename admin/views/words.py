"""The door for translations: every text that a person reads on a page passes through `_`."""

from __future__ import annotations


def _(text: str, /, **values: object) -> str:
    """The text in the reader's language (English for now), with its {places} filled."""
    return text.format(**values) if values else text
