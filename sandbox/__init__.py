"""Stand-ins of the vendors' systems, as real HTTP servers, for rehearsal and tests."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stand-ins from a command line; see `python -m sandbox --help`."""
    # Imported here, because `python -m sandbox` loads the package before it runs the module itself.
    from sandbox.__main__ import main as run

    return run(argv)
