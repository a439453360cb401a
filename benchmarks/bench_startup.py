"""Time and memory of `saltus --help` as a whole process, beside `python -c pass` as the floor."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time


def measure(arguments: list[str], runs: int = 15) -> tuple[float, float]:
    """Median seconds and peak resident megabytes of a command."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    floor, floor_memory = measure(["-c", "pass"])
    help_time, help_memory = measure(["-m", "saltus", "--help"])
    print(f"{'command':<18}{'median s':>10}{'peak MB':>10}")
    print(f"{'python -c pass':<18}{floor:>10.3f}{floor_memory:>10.1f}")
    print(
        f"{'saltus --help':<18}{help_time:>10.3f}{help_memory:>10.1f}   {help_time / floor:.1f} x the floor"
    )


if __name__ == "__main__":
    main()
