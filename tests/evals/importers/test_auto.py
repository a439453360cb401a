"""The format "auto" hands each file to the importer of the program that wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from saltus.evals.importers import import_results
from saltus.evals.importers.entry import FORMATS
from saltus.records.errors import UsageError
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.mark.parametrize(
    ("folder", "format"),
    [
        ("inspect", "inspect"),
        ("helm", "helm"),
        ("bigbench", "bigbench"),
        ("promptfoo/0.58.0", "promptfoo"),
        ("lm_eval/current", "lm-eval"),
    ],
)
def test_it_adds_what_the_named_format_adds(store: Store, folder: str, format: str) -> None:
    result = import_results("auto", GOLDEN / folder, store=store)
    named = import_results(format, GOLDEN / folder, store=store)
    assert result.added > 0
    assert (named.added, named.skipped) == (0, result.added)


def test_a_table_and_what_nobody_knows(store: Store, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("model,task,metric,score\nm,t,acc,0.5\n")
    (tmp_path / "notes.txt").write_text("hello")
    result = import_results("auto", [tmp_path / "table.csv", tmp_path / "notes.txt"], store=store)
    assert result.added == 1
    assert ["name the format in place of auto" in failure.error for failure in result.failed] == [True]


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "csv"])
def test_a_mapping_is_for_tables(store: Store, format: str) -> None:
    with pytest.raises(UsageError, match="--map is for tables"):
        import_results(format, GOLDEN, store=store, mapping="score=x")
