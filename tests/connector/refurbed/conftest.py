"""One stand-in for all tests of this folder, emptied for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connector.refurbed.market import Market
from tests.contracts import violations


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    made = Market(tmp_path_factory.mktemp("refurbed") / "requests.jsonl")
    yield made
    made.stop()


@pytest.fixture
def market(running: Market) -> Iterator[Market]:
    """An empty marketplace. Whatever a test sends must be known to the vendor's contract, and to the stand-in."""
    running.reset()
    yield running
    assert running.state()["ignored_fields"] == []
    assert not running.record.exists() or violations(running.record) == []
