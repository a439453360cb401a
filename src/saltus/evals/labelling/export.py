"""Labels as a table: one row a rater and item, with how the item was drawn, for pandas, polars or a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.evals.exporters.files import whole
from saltus.evals.labelling.journal import Journal
from saltus.evals.labelling.queue import Queue
from saltus.records.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from saltus.store import Store


def label_rows(store: Store, queue: Queue) -> pa.Table:
    """One row a rater and item, by item and rater.

    Args:
        store: Where the labels are.
        queue: Which queue.

    Returns:
        queue, run, model, task, sample, variant, epoch, item, part, probability, weight (one over it), rater,
        answer ("mark", "cannot_tell" or "skipped"), mark, value (0 to 1), reason, time (seconds since the
        epoch), event (its number in the ledger) and hash (the event's).
    """
    import pyarrow as pa

    columns: dict[str, tuple[Any, list[Any]]] = {name: (kind, []) for name, kind in _schema().items()}
    for label in sorted(Journal(store, queue).labels, key=lambda label: (label.item, label.rater)):
        item = queue.item(label.item)
        row = {
            "queue": queue.id,
            "run": queue.run,
            **{
                name: getattr(item, name)
                for name in ("model", "task", "sample", "variant", "epoch", "part", "probability")
            },
            "item": item.number,
            "weight": 1 / item.probability,
            "rater": label.rater,
            "answer": "skipped" if label.skipped else "cannot_tell" if label.mark is None else "mark",
            "mark": label.mark,
            "value": None if label.mark is None else queue.question.value(label.mark),
            "reason": label.reason,
            "time": label.time,
            "event": label.seq,
            "hash": label.hash,
        }
        for name, (_, cells) in columns.items():
            cells.append(row[name])
    return pa.table({name: pa.array(cells, kind) for name, (kind, cells) in columns.items()})


def write_labels(table: pa.Table, path: str) -> None:
    """Write labels as .csv, .parquet or .jsonl; the file appears whole or not at all.

    Raises:
        UsageError: The ending is another one.
        StoreError: The file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".csv", ".parquet", ".jsonl"):
        raise UsageError(
            f"--output ends in {ending or 'nothing'!r}; name a file that ends in .csv, .parquet or .jsonl",
            field="output",
        )
    try:
        with whole(Path(path)) as hidden:
            _write(table, hidden, ending)
    except OSError as error:
        raise StoreError(
            f"the labels cannot be written ({error.strerror or error}); choose another --output", path=path
        ) from error


def _write(table: pa.Table, path: Path, ending: str) -> None:
    from pyarrow import csv, parquet

    match ending:
        case ".csv":
            csv.write_csv(table, path)
        case ".parquet":
            parquet.write_table(table, path)
        case _:
            path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in table.to_pylist()))


def _schema() -> dict[str, Any]:
    import pyarrow as pa

    text = dict.fromkeys(("queue", "run", "model", "task", "sample", "variant"), pa.string())
    return {
        **text,
        "epoch": pa.int32(),
        "item": pa.int32(),
        "part": pa.string(),
        "probability": pa.float64(),
        "weight": pa.float64(),
        "rater": pa.string(),
        "answer": pa.string(),
        "mark": pa.int32(),
        "value": pa.float64(),
        "reason": pa.string(),
        "time": pa.float64(),
        "event": pa.int64(),
        "hash": pa.string(),
    }
