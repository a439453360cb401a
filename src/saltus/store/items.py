"""Per-item scores of one task and metric over the models of a family, as a detector asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saltus.records.metrics import metric_info
from saltus.stats import ItemScores
from saltus.store.queries import CLUSTER

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store.store import Store

_ANY = "SELECT count(*) > 0 AS found FROM (SELECT 1 FROM scores LIMIT 1)"

# Of several runs of a model the one made last, as in `Store.points`; repeats of a sample are averaged.
_ROWS = f"""
    WITH mine AS (
        SELECT t.run, t.model, t.sample, avg(t.value) AS value
        FROM scores t LEFT JOIN models m ON m.id = t.model
        WHERE coalesce(m.family, '') = ? AND t.task = ? AND t.metric = ? AND t.variant = ?
        GROUP BY t.run, t.model, t.sample
    ), last AS (
        SELECT p.model, p.run
        FROM (SELECT DISTINCT model, run FROM mine) p LEFT JOIN runs r ON r.id = p.run
        QUALIFY row_number() OVER (PARTITION BY p.model ORDER BY coalesce(r.created, 0) DESC, p.run DESC) = 1
    )
    SELECT model, sample, value, cluster
    FROM mine SEMI JOIN last USING (model, run)
    LEFT JOIN (SELECT id, {CLUSTER} AS cluster FROM samples WHERE task = ?) s ON s.id = sample
    ORDER BY model, sample"""  # noqa: S608 - the names in this SQL are ours


class Items:
    """What each model scored on each item, one series at a time and only when asked.

    Calling it gives `ItemScores`, or None where the store has only means. It is the argument `items` of
    `saltus.emergence.detect_all`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._any = bool(store.query(_ANY)["found"][0].as_py())
        self._last: tuple[tuple[str, str, str, str], ItemScores | None] | None = None

    def __call__(self, family: str, task: str, metric: str, variant: str) -> ItemScores | None:
        """The scores of the models of `family` on the items of `task`."""
        if not self._any or metric_info(metric).ratio:  # a ratio of sums is no mean over items
            return None
        key = (family, task, metric, variant)
        if self._last is None or self._last[0] != key:  # the series of several models share one answer
            rows = self._store.query(_ROWS, [*key, task])
            self._last = key, None if rows.num_rows == 0 else _matrix(rows)
        return self._last[1]


def _matrix(rows: pa.Table) -> ItemScores:
    models, samples = (rows[name].combine_chunks().dictionary_encode() for name in ("model", "sample"))
    item = samples.indices.to_numpy(zero_copy_only=False)
    scores = np.full((len(samples.dictionary), len(models.dictionary)), np.nan)
    value = rows["value"].to_numpy()
    scores[item, models.indices.to_numpy(zero_copy_only=False)] = np.where(np.isfinite(value), value, np.nan)
    clusters = None
    if rows["cluster"].null_count < rows.num_rows:
        named = rows["cluster"].combine_chunks().dictionary_encode().indices
        number = named.fill_null(-1).to_numpy(zero_copy_only=False)
        clusters = np.zeros(len(scores), np.int64)
        clusters[item] = np.where(number < 0, len(named) + item, number)  # without a name: one of its own
    return ItemScores(tuple(models.dictionary.to_pylist()), scores, clusters)
