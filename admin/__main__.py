"""The entry of `connector`, which is `python -m admin`."""

from __future__ import annotations

import gc

YOUNG = 20_000  # so many new objects are looked through for garbage at once: about a page of orders


def main() -> None:
    """What is loaded at the start stays to the end: looking through it for garbage again and again, while it is loaded and
    later, took a third of the start and a twentieth of a run's CPU (`bench/orders.py`)."""
    gc.disable()
    from admin.cli import main as run

    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    gc.enable()
    run()


if __name__ == "__main__":
    main()
