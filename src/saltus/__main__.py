"""`saltus` and `python -m saltus`: the command line in a process of its own."""

import gc
import sys

from saltus.cli import main


def run() -> int:
    """Run the command line; what `saltus` calls."""
    try:
        return main()
    finally:
        # The process ends, and the interpreter need not search all it has loaded for cycles. DuckDB counts on
        # that search: without it, it reports what is left as leaks.
        if "duckdb" not in sys.modules:
            gc.freeze()


if __name__ == "__main__":
    raise SystemExit(run())
