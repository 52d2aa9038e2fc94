"""The page envelope of lists.

A page beyond the last one returns the last one again; more items per page than the cap are silently capped.
"""

from collections.abc import Sequence
from typing import Any

from sandbox.message import Request
from sandbox.plentyone.values import whole


def paged(
    request: Request, rows: Sequence[Any], *, default: int = 50, cap: int = 250, old: bool = False
) -> dict[str, Any]:
    """One page of rows; `old` endpoints return the page number as text."""
    size = whole(request.arg("itemsPerPage"))
    size = min(size, cap) if size and size > 0 else default
    last = max(1, -(-len(rows) // size))
    page = min(max(whole(request.arg("page")) or 1, 1), last)
    entries = rows[(page - 1) * size : page * size]
    return {
        "page": str(page) if old else page,
        "totalsCount": len(rows),
        "isLastPage": page == last,
        "lastPageNumber": last,
        "firstOnPage": (page - 1) * size + 1 if entries else 0,
        "lastOnPage": (page - 1) * size + len(entries),
        "itemsPerPage": str(size) if old else size,
        "entries": list(entries),
    }


def sliced(request: Request, rows: Sequence[Any], *, cap: int = 100) -> list[Any]:
    """One page of a list that comes as a plain array; beyond the end it is the last page again."""
    entries: list[Any] = paged(request, rows, default=cap, cap=cap)["entries"]
    return entries
