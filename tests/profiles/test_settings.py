"""A profile's settings: secrets among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from marshmallow import fields

from connector.settings import ITEMS, Problem, Row, Secret, Settings, ValueMap, setting
from profiles.secrets import seal_text
from profiles.settings import EngineOptions, check, resolve


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


@pytest.mark.parametrize("value", [1, 0, "yes", "on", "f", 1.0, [], {}])
def test_a_switch_is_true_or_false_and_nothing_like_it(value: object) -> None:
    with pytest.raises(Problem) as caught:
        check([EngineOptions], {"global": {"log_response": value}})
    assert caught.value.problems == {"global.log_response": [f"Expected true or false, got {value!r}."]}


def test_a_switch_within_a_table_is_named_with_its_row() -> None:
    class Line(Settings):
        paid = setting(fields.Boolean(), section=ITEMS, label="Paid")

    class Table(Settings):
        rows = setting(ValueMap("method", Row(Line)), section=ITEMS, label="Rows")

    assert check([Table], {"global": {"rows": {"a": {"paid": False}}}})["global"] == {"rows": {"a": {"paid": False}}}
    with pytest.raises(Problem) as caught:
        check([Table], {"global": {"rows": {"a": {"paid": 1}}}})
    assert list(caught.value.problems) == ["global.rows.a.paid"]
