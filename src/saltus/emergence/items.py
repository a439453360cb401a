"""Per-item scores for a series: how far its points share the luck of the draw of items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from saltus.emergence.series import Series
from saltus.stats import ItemScores, error_correlation

Key: TypeAlias = tuple[str, str, str, str]
Items: TypeAlias = Mapping[Key, ItemScores] | Callable[[str, str, str, str], ItemScores | None]


def correlation_of(series: Series, items: Items) -> NDArray[np.float64] | None:
    """Correlation of the sampling errors of a series' rows, shape (n, n).

    None where a row's model has no items, or too few items tell: errors then count as independent, which is
    cautious for trends and jumps.
    """
    key = (series.family, series.task, series.metric, series.variant)
    found = items(*key) if callable(items) else items.get(key)
    if found is None:
        return None
    columns = found.columns([str(row.get("model") or row["name"]) for row in series.rows])
    if columns is None or len(set(columns)) < len(columns):
        return None
    return error_correlation(found.scores[:, columns], found.clusters)
