"""A profile's settings: secrets among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from marshmallow import fields

from connector.settings import ITEMS, Secret, Settings, setting
from profiles.secrets import seal_text
from profiles.settings import resolve


def test_a_secret_among_the_settings_is_stored_sealed_and_read_in_clear(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Keys(Settings):
        key = setting(Secret(), section=ITEMS, label="Key")
        keys = setting(fields.List(Secret()), section=ITEMS, label="Keys")

    monkeypatch.setenv("THE_KEY", "from-outside")
    stored = {"global": {"key": seal_text("inside"), "keys": [seal_text("one"), "env:THE_KEY"]}}
    assert "inside" not in str(stored)
    assert resolve([Keys], stored).options["key"].startswith("sealed:")
    clear = resolve([Keys], stored, secrets=True).options
    assert (clear["key"], clear["keys"]) == ("inside", ["one", "from-outside"])
