"""Change points beside `ruptures`, in one harness: false alarms, hits within one checkpoint, and time.

`--peers FOLDER` names the site-packages folder of an environment that holds `ruptures` (1.1.10 was used);
without it, Saltus runs alone. The noise variance of the peers' penalties is estimated from differences.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.validity.change_truths import JUMPS, NULLS, Curve, changed_curve, null_curve

from saltus.stats.changepoints import change_points

Finder = Callable[[Curve], list[float]]  # positions along the checkpoints


def saltus(curve: Curve) -> list[float]:
    found = change_points(curve.x, curve.y, variance=curve.variance).changes
    return [float(np.interp(np.log(c.at), np.log(curve.x), np.arange(len(curve.x)))) for c in found]


def spread(y: np.ndarray) -> float:
    """Noise variance from differences of neighbours, robust to jumps."""
    return max(float((np.median(np.abs(np.diff(y))) / 0.6745) ** 2 / 2), 1e-12)


def peers() -> dict[str, Finder]:
    import ruptures

    def cut(algorithm: type, model: str, price: float) -> Finder:
        def find(curve: Curve) -> list[float]:
            signal = curve.y
            penalty = price * np.log(len(signal)) * (1.0 if model == "rbf" else spread(signal))
            found = algorithm(model=model, min_size=2, jump=1).fit(signal.reshape(-1, 1)).predict(pen=penalty)
            return [edge - 0.5 for edge in found[:-1]]

        return find

    return {
        "Pelt l2, 2 log n": cut(ruptures.Pelt, "l2", 2.0),
        "Pelt l2, 3 log n": cut(ruptures.Pelt, "l2", 3.0),
        "Pelt rbf, log n": cut(ruptures.Pelt, "rbf", 1.0),
        "Binseg l2, 2 log n": cut(ruptures.Binseg, "l2", 2.0),
        "Pelt clinear, 3 log n": cut(ruptures.Pelt, "clinear", 3.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="site-packages folder that holds ruptures")
    parser.add_argument("--series", type=int, default=20, help="series a kind and size")
    options = parser.parse_args()
    finders: dict[str, Finder] = {"saltus": saltus}
    if options.peers:
        sys.path.append(str(options.peers))
        finders |= peers()
    sizes = (20, 40)
    nulls = {
        kind: [
            null_curve(kind, size, np.random.default_rng([1, size, i]))
            for size in sizes
            for i in range(options.series)
        ]
        for kind in NULLS
    }
    changed = {
        (kind, sigmas): [
            changed_curve(kind, size, sigmas, np.random.default_rng([2, size, i]))
            for size in sizes
            for i in range(options.series)
        ]
        for kind in JUMPS
        for sigmas in (3, 5, 10)
    }
    for name, find in finders.items():
        for curves in nulls.values():
            find(curves[0])  # what is prepared once a grid is no part of the time of a series
        report(name, find, nulls, changed)
    speed(finders)


def report(
    name: str, find: Finder, nulls: dict[str, list[Curve]], changed: dict[tuple[str, int], list[Curve]]
) -> None:
    print(f"\n{name}")
    alarms = {kind: np.mean([bool(find(curve)) for curve in curves]) for kind, curves in nulls.items()}
    print("  false alarms a series: " + ", ".join(f"{kind} {rate:.2f}" for kind, rate in alarms.items()))
    print(f"  all nulls {np.mean(list(alarms.values())):.3f}")
    for (kind, sigmas), curves in changed.items():
        hits, truths, found, exact = 0, 0, 0, 0
        for curve in curves:
            places = find(curve)
            true = np.interp(np.log(curve.changes), np.log(curve.x), np.arange(len(curve.x)))
            hits += sum(any(abs(p - t) <= 1 for p in places) for t in true)
            truths += len(true)
            found += len(places)
            exact += len(places) == len(true)
        print(
            f"  {kind:12s} {sigmas:2d} sigma: within one checkpoint {hits / truths:.2f}, "
            f"right number {exact / len(curves):.2f}, changes a curve {found / len(curves):.1f}"
        )


def speed(finders: dict[str, Finder]) -> None:
    rng = np.random.default_rng(3)
    for size in (20, 200):
        curves = [changed_curve("two steps", size, 5, rng, "normal", "log") for _ in range(2)]
        x = curves[0].x
        curves = [Curve(c.kind, x, c.y, c.variance, c.changes, c.sigma) for c in curves]
        flat = [Curve("flat", x, rng.normal(size=size), None, (), 1.0) for _ in range(10)]
        for name, find in finders.items():
            find(flat[0])
            times = []
            for group in (flat, curves):
                start = time.process_time()
                for curve in group:
                    find(curve)
                times.append(1000 * (time.process_time() - start) / len(group))
            print(
                f"{size} checkpoints, {name}: {times[0]:.1f} ms without a change, {times[1]:.1f} ms with two"
            )


if __name__ == "__main__":
    main()
