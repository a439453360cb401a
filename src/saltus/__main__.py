"""`saltus` and `python -m saltus`: the command line in a process of its own."""

import gc

from saltus.cli import main


def run() -> int:
    """Run the command line; what `saltus` calls."""
    try:
        return main()
    finally:
        gc.freeze()  # the process ends: the interpreter need not search all it has loaded for cycles


if __name__ == "__main__":
    raise SystemExit(run())
