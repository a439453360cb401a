"""The page on the suites says what the suites are."""

from __future__ import annotations

from pathlib import Path

from saltus.tasks.builtin.guide import SUITES, page

TEXT = page()
PAGE = Path(__file__).resolve().parents[3] / "docs" / "suites.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == TEXT, (
        "write it again: python -m saltus.tasks.builtin.guide docs/suites.md"
    )


def test_every_suite_has_its_section_and_its_limits() -> None:
    for name in SUITES:
        section = TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert "*Limits.* " in section
        assert "```text\n" in section
