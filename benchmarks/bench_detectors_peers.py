"""False calls on smooth series and hits on steps: Saltus, the rules in use, and two packages, same series.

    python benchmarks/bench_detectors_peers.py                    # Saltus and the rules in use
    python benchmarks/bench_detectors_peers.py --peers FOLDER     # and the packages

FOLDER is an environment of Python 3.12 with `ruptures` and `simple-scaling-laws`; Saltus needs neither.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from tests.validity.rules import biggest_step, breakthroughness, is_breakthrough, linearity  # noqa: E402
from tests.validity.truths import (  # noqa: E402
    HIGH,
    LOW,
    SIZES,
    Design,
    Truth,
    any_null,
    measure,
    rows_of,
    sigmoid,
    step,
)

from saltus.emergence import detect  # noqa: E402

KINDS = ("flat", "linear", "saturating", "p^L, 1.3 decades", "step of .2", "step of .1")
JUMPS = ("step of .2", "step of .1")


def main() -> None:
    """Simulate, ask everybody, print a table of calls by kind of series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", metavar="FOLDER", type=Path, help="environment with the packages")
    parser.add_argument("--series", type=int, default=60, help="series of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    series = [
        one for k, kind in enumerate(KINDS) for one in simulate(kind, options.series, [options.seed, k])
    ]
    calls, seconds = ours(series)
    if options.peers:
        for peer in ("ruptures", "simple_scaling_laws"):
            start = time.perf_counter()
            calls |= ask(options.peers, peer, series)
            seconds[peer] = time.perf_counter() - start
    width = max(map(len, calls))
    print(f"share of {options.series} series of each kind that is called a jump\n")
    print(" " * width, *(f"{kind:>17}" for kind in KINDS))
    for name, made in calls.items():
        shares = [np.mean([c for c, s in zip(made, series, strict=True) if s["kind"] == k]) for k in KINDS]
        print(f"{name:{width}}", *(f"{share:17.3f}" for share in shares))
    straight = [linearity(np.array(s["y"])) for s in series if s["kind"] not in JUMPS]
    jumpy = [linearity(np.array(s["y"])) for s in series if s["kind"] in JUMPS]
    both = [breakthroughness(np.array(s["y"])) for s in series if s["kind"] in JUMPS]
    print(
        f"\nBIG-bench linearity, median: {np.median(straight):.2f} where the truth is smooth, "
        f"{np.median(jumpy):.2f} at steps (there breakthroughness is {np.median(both):.1f})"
    )
    print("seconds:", ", ".join(f"{name} {taken:.1f}" for name, taken in seconds.items()))


def simulate(kind: str, size: int, seed: list[int]) -> list[dict]:
    """Series of one kind, as JSON knows them."""
    out = []
    for i in range(size):
        rng = np.random.default_rng([*seed, i])
        steps = kind in JUMPS
        design = Design(
            8 if steps else int(rng.choice([5, 8, 12])),
            1000 if steps else int(rng.choice(SIZES)),
            float(rng.choice([0, 0.01])),
        )
        truth = truth_of(kind, rng)
        u, y = measure(truth, design, rng)
        out.append(
            {"kind": kind, "u": u.tolist(), "y": y.tolist(), "n": design.n, "chance": truth.chance, "seed": i}
        )
    return out


def truth_of(kind: str, rng: np.random.Generator) -> Truth:
    """A new truth of the kind."""
    gap = (HIGH - LOW) / 7
    match kind:
        case "step of .2" | "step of .1":
            return step(rng.uniform(LOW + gap, HIGH - gap), float(kind[-2:]))
        case "p^L, 1.3 decades":
            return sigmoid("gompertz", rng.uniform(LOW + 0.5, HIGH - 0.3), 1.3, rng.uniform(0.3, 0.7))
        case _:
            return any_null(kind, rng)


def ours(series: list[dict]) -> tuple[dict[str, list[bool]], dict[str, float]]:
    """What Saltus and the rules in use call."""
    start = time.perf_counter()
    findings = [
        detect(
            rows_of(np.array(s["u"]), np.array(s["y"]), n=s["n"], chance=s["chance"]),
            axis="params",
            seed=s["seed"],
        )
        for s in series
    ]
    taken = time.perf_counter() - start
    calls = {
        "Saltus, emergent": [f.verdict == "emergent" for f in findings],
        "Saltus, sharp": [
            f.verdict in ("emergent", "accelerating") and f.sharpness == "sharp" for f in findings
        ],
        "BIG-bench breakthroughness > 5": [is_breakthrough(np.array(s["y"])) for s in series],
        "biggest step over 3 sigma": [biggest_step(np.array(s["y"]), s["n"]) for s in series],
    }
    return calls, {"Saltus": taken}


def ask(folder: Path, peer: str, series: list[dict]) -> dict[str, list[bool]]:
    """What a package in another environment calls."""
    done = subprocess.run(
        [str(folder / "bin" / "python"), str(ROOT / "benchmarks" / "peers" / "detectors.py")],
        input=json.dumps({"peers": [peer], "series": series}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{peer} in {folder} failed: {done.stderr.strip().splitlines()[-1]}")
    calls: dict[str, list[bool]] = json.loads(done.stdout)
    return calls


if __name__ == "__main__":
    main()
