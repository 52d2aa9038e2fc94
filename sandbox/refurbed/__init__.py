"""refurbed as a stand-in: the merchant API's calls for orders, items, refunds, invoices, returns and carriers.

Written from the vendor's contract and the documents about it alone. One module per theme, each with its own table
of calls; `refurbed` puts them together behind token and rate limit. What the documents leave open is a setting
(`marketplace.Settings`), so that a test can try both ways.
"""

from sandbox.refurbed.made_up import articles, fill
from sandbox.refurbed.marketplace import TOKEN, Settings
from sandbox.refurbed.refurbed import Refurbed


def build(count: int = 0, seed: int = 0, token: str = TOKEN, rate_limit: int | None = 10) -> Refurbed:
    """A marketplace with this many made-up orders; `rate_limit` counts requests per second, None sets no limit."""
    return Refurbed(Settings(token=token, rate_limit=rate_limit), count=count, seed=seed)


__all__ = ["TOKEN", "Refurbed", "articles", "build", "fill"]
