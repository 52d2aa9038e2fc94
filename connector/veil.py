"""Hides the secrets of an account where its system sends them back: in messages, the data log, the connection test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "•••"
SHORTEST = 6  # a shorter value is found in too many innocent words


class Veil:
    """Knows some secrets, and every way in which JSON and addresses may write them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for one in secrets:
            self.add(one)

    def add(self, secret: str) -> None:
        """Hide this one as well, a token for example. Cheap when it is known."""
        if secret in self._known or len(secret) < SHORTEST:
            return
        known = {*self._known, secret}
        written = {
            form
            for one in known
            for form in (
                one,
                json.dumps(one)[1:-1],
                json.dumps(one, ensure_ascii=False)[1:-1],
                json.dumps(one)[1:-1].replace("/", "\\/"),  # PHP's way
                json.dumps(one, ensure_ascii=False)[1:-1].replace("/", "\\/"),
                quote(one, "", "utf-8", "replace"),
            )
        }
        self._pattern = re.compile("|".join(re.escape(one) for one in sorted(written, key=len, reverse=True)))
        self._known = known

    def text(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def data(self, data: Any) -> Any:
        """Decoded JSON with the secrets hidden in its texts; keys stay, they tell what an answer means."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {key: self.data(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.data(one) for one in data]
        return data
