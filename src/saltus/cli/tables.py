"""Writes a result table to a file that pandas and polars open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from saltus.records.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


def write_table(table: pa.Table, path: str) -> None:
    """Write an Arrow table as CSV or Parquet, by the file's ending."""
    match Path(path).suffix.lower():
        case ".csv":
            from pyarrow import csv

            csv.write_csv(table, path)
        case ".parquet":
            from pyarrow import parquet

            parquet.write_table(table, path)
        case other:
            raise UsageError(
                f"--output ends in {other or 'nothing'!r}; name a file that ends in .csv or .parquet."
            )
