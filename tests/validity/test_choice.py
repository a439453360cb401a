"""Whether the interval of the strongest of many neurons covers, when all of them do nothing."""

from __future__ import annotations

import numpy as np

from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import mean_interval
from saltus.interpret.readout.choice import halves, strongest


def test_the_chosen_neuron_s_interval_covers_on_the_half_that_did_not_choose_it() -> None:
    rng = np.random.default_rng(5)
    n, neurons, runs = 64, 300, 400
    rows = np.zeros((n, 1), np.int64)
    prompts = Prompts(
        task="t",
        metric="exact_match",
        samples=tuple(f"{i:03}" for i in range(n)),
        tokens=rows,
        lengths=rows[:, 0] + 1,
        starts=rows[:, 0],
        answers=rows,
        items=np.arange(n),
        right=np.ones(n, bool),
        rivals=rows[:, 0],
    )
    measures = halves(prompts)
    hit = flattered = 0
    for _ in range(runs):
        values = rng.standard_normal((n, neurons))
        [one] = strongest({0: values[~measures].sum(0)}, 1)
        labels = list(prompts.samples)
        kept = [label for label, keep in zip(labels, measures, strict=True) if keep]
        known = mean_interval(values[measures, one.index], kept)
        hit += known.low <= 0 <= known.high
        chose = [label for label, keep in zip(labels, measures, strict=True) if not keep]
        own = mean_interval(values[~measures, one.index], chose)
        flattered += own.low <= 0 <= own.high
    print(f"covers {hit / runs:.3f} on the other half, {flattered / runs:.3f} on the half that chose")
    assert 0.86 <= hit / runs <= 0.94
    assert flattered / runs < 0.1
