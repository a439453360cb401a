"""Helpers for tests of importers: a store, files to import, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals.importers import ImportResult, import_results
from saltus.store import Store

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "lm_eval" / "current"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with saltus.open(tmp_path / "evidence") as opened:
        yield opened


@pytest.fixture
def golden() -> Path:
    return GOLDEN


@pytest.fixture
def old_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a v0.3 result file of one task and gives its path."""

    def write(name: str = "70m_step1000.json", /, **changes: Any) -> Path:
        document: dict[str, Any] = {
            "results": {"piqa": {"acc": 0.6, "acc_stderr": (0.6 * 0.4 / 1834) ** 0.5}},
            "versions": {"piqa": 0},
            "config": {
                "model": "hf-causal",
                "model_args": "pretrained=EleutherAI/pythia-70m,revision=step1000",
                "num_fewshot": 0,
                "limit": None,
            },
        }
        document.update(changes)
        path = tmp_path / name
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


@pytest.fixture
def import_csv(store: Store, tmp_path: Path) -> Callable[..., ImportResult]:
    """Writes a table and imports it."""

    def run(text: str | bytes, name: str = "table.csv", **options: Any) -> ImportResult:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return import_results("csv", path, store=store, **options)

    return run
