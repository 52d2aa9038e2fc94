"""PlentyONE as a stand-in: strict where the vendor is strict, lax where it is lax.

Written from the vendor's documents alone. One module per theme, each with its own table of routes; `plentyone`
puts them together behind login and call budget.
"""

from collections.abc import Sequence

from sandbox.plentyone.plentyone import PlentyOne
from sandbox.plentyone.tenant import Settings


def build(
    skus: Sequence[tuple[str, str]] = (),
    write_limit: int | None = None,
    read_limit: int | None = None,
    index_lag: float = 0.0,
    window_seconds: float = 60.0,
    max_sessions: int = 40,
    password: str = "sandbox",
) -> PlentyOne:
    """A tenant that knows these articles, given as (SKU, name), and nothing else yet."""
    settings = Settings(
        write_limit=write_limit,
        read_limit=read_limit,
        index_lag=index_lag,
        window_seconds=window_seconds,
        max_sessions=max_sessions,
        password=password,
    )
    return PlentyOne(settings, list(skus))


__all__ = ["PlentyOne", "build"]
