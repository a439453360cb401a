"""The artifact check against pairs of metrics whose truth is known, at a reduced size."""

from __future__ import annotations

import pytest

from .artifact_rows import broken_pairs, smooth_pairs, unlinked_pairs
from .harness import EXPERIMENTS, run

ROWS = [f"artifact.{one.__name__}" for one in (smooth_pairs, broken_pairs, unlinked_pairs)]


@pytest.mark.parametrize("name", ROWS)
def test_what_the_check_says_of_known_truths(name: str) -> None:
    for result in run(EXPERIMENTS[name], share=0.12, slack=2.0):
        print("\t".join(result.cells()))
        assert result.passed, result.cells()
