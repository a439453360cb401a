"""Choose on one half of the samples and measure on the other, so that a choice flatters no number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.prompts import Prompts
from saltus.records.explanations import Component


def halves(prompts: Prompts) -> NDArray[np.bool_]:
    """Two halves of the samples, whole clusters: one (False) chooses or trains, the other measures."""
    _, which = np.unique(np.array(prompts.clusters or prompts.samples), return_inverse=True)
    return np.asarray(which % 2 == 1)


def strongest(sums: Mapping[int, NDArray[np.float64]], most: int) -> tuple[Component, ...]:
    """Neurons with the largest absolute sums, largest first.

    Args:
        sums: One a neuron, by layer.
        most: How many.

    Examples:
        >>> [str(one) for one in strongest({0: np.array([1.0, -3.0]), 1: np.array([2.0])}, 2)]
        ['MLP0N1', 'MLP1N0']
    """
    ranked = [
        (-abs(float(values[index])), Component(layer, int(index), "neuron"))
        for layer, values in sums.items()
        for index in np.argsort(-np.abs(values), kind="stable")[:most]
    ]
    return tuple(one for _, one in sorted(ranked)[:most])
