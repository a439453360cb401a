"""Metrics of a whole corpus (perplexity, bits per byte): a ratio of two sums, formed from per-sample scores.

A mean of per-sample perplexities is not the corpus's perplexity. So the scores hold the sums' terms, and this
SQL turns them into rows whose mean over samples is the corpus's ratio R = sum(a) / sum(b) and whose spread is
that of the ratio by the delta method: R + (a - R b) / mean(b), then through the metric's link. All that is
done with scores (repeats averaged, clusters counted once) is then right for ratios as well.
"""

from __future__ import annotations

from saltus.records.metrics import METRICS, MetricInfo

_KEY = "run, model, task, variant, sample, epoch"
_CORPUS = "PARTITION BY run, model, task, variant"
_RATIOS = tuple(info for info in METRICS.values() if info.ratio)


def with_ratios() -> str:
    """SQL for all per-sample scores, and the rows of ratios that their terms give."""
    terms = sorted({term for info in _RATIOS for term in info.ratio})
    columns = ", ".join(f"any_value(value) FILTER (metric = '{term}') AS {term}" for term in terms)
    names = ", ".join(f"'{term}'" for term in terms)
    parts = " UNION ALL ".join(_rows(info) for info in _RATIOS)
    return f"""(
        WITH terms AS (
            SELECT {_KEY}, {columns} FROM scores WHERE metric IN ({names}) GROUP BY {_KEY}
        )
        SELECT {_KEY}, metric, value FROM scores
        UNION ALL {parts}
    )"""  # noqa: S608 - the names in this SQL are ours


def _rows(info: MetricInfo) -> str:
    above, below = info.ratio
    slope = f"({above} - r * {below}) / b"
    value = {"exp": f"exp(r) * (1 + {slope})", "bits": f"(r + {slope}) / ln(2)"}.get(
        info.link, f"r + {slope}"
    )
    return f"""SELECT {_KEY}, '{info.name}' AS metric, {value} AS value FROM (
            SELECT {_KEY}, {above}, {below}, sum({above}) OVER w / sum({below}) OVER w AS r, avg({below}) OVER
            w AS b FROM terms WHERE {above} IS NOT NULL AND {below} > 0 WINDOW w AS ({_CORPUS})
        ) WHERE b > 0"""  # noqa: S608 - as above
