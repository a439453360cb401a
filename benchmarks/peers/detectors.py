"""Which simulated series other packages call a jump: runs in their environment, series on stdin as JSON.

Neither package says "jump". `ruptures` finds change points: a series is called when the mean is higher
after one. `simple-scaling-laws` fits laws: a series is called when its broken power law beats its power
law by BIC and breaks inside the measured scales.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np


def main() -> None:
    """Read series and names of packages, print calls by rule."""
    asked = json.load(sys.stdin)
    rules: dict[str, Callable[[dict], bool]] = {}
    if "ruptures" in asked["peers"]:
        rules |= {"ruptures PELT l2": pelt("l2"), "ruptures PELT rbf": pelt("rbf")}
    if "simple_scaling_laws" in asked["peers"]:
        rules["simple-scaling-laws"] = broken_law
    calls = {name: [bool(rule(series)) for series in asked["series"]] for name, rule in rules.items()}
    json.dump(calls, sys.stdout)


def pelt(model: str) -> Callable[[dict], bool]:
    """PELT with the common penalties: 2 log(n) times the noise's variance for l2 (BIC), log(n) for rbf."""
    import ruptures

    def rule(series: dict) -> bool:
        y = np.array(series["y"])
        size = len(y)
        # The variance that l2 needs comes from differences of neighbours, which one jump hardly moves.
        noise = max((np.median(np.abs(np.diff(y))) / (0.6745 * math.sqrt(2))) ** 2, 1 / series["n"] ** 2)
        penalty = 2 * noise * math.log(size) if model == "l2" else math.log(size)
        search = ruptures.Pelt(model=model, min_size=1, jump=1)
        ends = [0, *search.fit(y[:, None]).predict(pen=penalty)]
        means = [y[a:b].mean() for a, b in pairwise(ends)]
        return any(b > a for a, b in pairwise(means))

    return rule


def broken_law(series: dict) -> bool:
    """Broken power law against power law, by BIC."""
    import polars as pl
    from simple_scaling_laws import fit

    size = len(series["u"])
    frame = pl.DataFrame(
        {
            "training_run_id": [f"m{i}" for i in range(size)],
            "test_set_id": ["t"] * size,
            "model_size__n_params": [10.0**u for u in series["u"]],
            "test_metric__accuracy": series["y"],
        }
    )
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for law in ("separable-power", "broken-power"):
            try:
                model = fit(frame, law=law, n_draws=2, seed=0)
            except ValueError:  # too few scales for the law, or scores that it refuses
                return False
            found = model.fits["test_metric__accuracy"].goodness_of_fit
            scores[law] = size * math.log(max(found["rmse"], 1e-9) ** 2) + found["n_params"] * math.log(size)
    parameters = model.params("test_metric__accuracy")
    centre = float(np.mean(series["u"]))
    inside = min(series["u"]) < centre + math.log10(parameters["d"]) < max(series["u"])
    return scores["broken-power"] < scores["separable-power"] and inside


if __name__ == "__main__":
    main()
