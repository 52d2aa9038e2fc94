"""One stand-in for all tests of this folder, emptied for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connector.plentyone.standin import Shop, StandIn


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    made = StandIn(tmp_path_factory.mktemp("plentyone"))
    yield made
    made.stop()


@pytest.fixture
def plenty(running: StandIn) -> Iterator[StandIn]:
    """An empty PlentyONE. Whatever a test sends must be known to the vendor's contract."""
    running.reset()
    yield running
    assert running.violations() == []


@pytest.fixture
def shop(plenty: StandIn) -> Iterator[Shop]:
    made = Shop(plenty.url)
    yield made
    made.connector.close()
