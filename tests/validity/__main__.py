"""`python -m tests.validity`: every row at full size, with its bar; exit code 1 when a bar does not hold."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.validity.harness import HEAD, Result, load_rows, markdown, run


def main() -> int:
    """Run the rows whose names hold one of the words given, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.validity", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names, such as nulls or published")
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of simulations")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the table there too")
    options = parser.parse_args()
    start = time.perf_counter()
    results: list[Result] = []
    chosen = [
        experiment
        for name, experiment in load_rows().items()
        if not options.only or any(word in name for word in options.only)
    ]
    print("\t".join(HEAD))
    for experiment in sorted(chosen, key=lambda e: e.timed):
        for result in run(experiment, share=options.share, jobs=options.jobs):
            print("\t".join(result.cells()), flush=True)
            results.append(result)
    failed = [r for r in results if r.rate is not None and not r.passed]
    skipped = sum(r.rate is None for r in results)
    print(
        f"{len(results)} rows, {len(failed)} failed, {skipped} skipped, {time.perf_counter() - start:.0f} s"
    )
    if options.markdown:
        options.markdown.write_text(markdown(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
