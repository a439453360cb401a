"""pass@k is unbiased: over many draws its mean is the chance it stands for; the plain estimate's is not."""

from __future__ import annotations

import numpy as np
import pytest

from saltus.stats.passk import pass_at_k


@pytest.mark.parametrize("p", [0.02, 0.2, 0.7])
@pytest.mark.parametrize(("n", "k"), [(10, 5), (20, 10), (20, 1), (12, 12)])
def test_the_mean_is_the_chance(p: float, n: int, k: int) -> None:
    draws = np.random.default_rng(7).binomial(n, p, size=40_000)
    values = pass_at_k(np.full(n + 1, n), np.arange(n + 1), k)[draws]
    truth = 1 - (1 - p) ** k
    spread = np.sqrt(truth * (1 - truth))  # at least that of the estimates, and not 0 where no draw failed
    assert abs(values.mean() - truth) < 4 * spread / np.sqrt(values.size)


def test_the_plain_estimate_is_biased() -> None:
    n, k, p = 10, 5, 0.2
    draws = np.random.default_rng(7).binomial(n, p, size=40_000)
    plain = 1 - (1 - draws / n) ** k
    truth = 1 - (1 - p) ** k
    assert abs(plain.mean() - truth) > 20 * plain.std() / np.sqrt(plain.size)
