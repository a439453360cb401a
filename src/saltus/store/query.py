"""A query that has not run yet: rows as Arrow, pandas or polars, or the points a detector reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from saltus.records.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa


class Query:
    """Per-sample score rows, read when asked for; what is appended in between is seen.

    Made by `Store.scores`. The same filters give the aggregated `points`.
    """

    def __init__(
        self, rows: Callable[[], pa.Table], points: Callable[[bool], pa.Table], filters: dict[str, Any]
    ) -> None:
        self._rows = rows
        self._points = points
        self._filters = filters

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value!r}" for name, value in self._filters.items() if value is not None)
        return f"Query({chosen})"

    def arrow(self) -> pa.Table:
        """One row a score: run, model, its scale and names, task, sample, variant, epoch, metric, value."""
        return self._rows()

    def pandas(self) -> pandas.DataFrame:
        """The same rows as a pandas frame."""
        try:
            import pandas  # noqa: F401 - pyarrow needs it and would say so less clearly
        except ImportError as error:
            raise MissingExtraError(
                "pandas is not installed; install it with `pip install pandas`"
            ) from error
        return self.arrow().to_pandas()

    def polars(self) -> polars.DataFrame:
        """The same rows as a polars frame."""
        try:
            import polars
        except ImportError as error:
            raise MissingExtraError(
                "polars is not installed; install it with `pip install polars`"
            ) from error
        frame = polars.from_arrow(self.arrow())
        assert isinstance(frame, polars.DataFrame)  # noqa: S101 - a table never becomes a Series
        return frame

    def points(self, *, latest: bool = True) -> pa.Table:
        """One row a (model, task, metric, variant, shots, seed), as `Store.points` gives them."""
        return self._points(latest)
