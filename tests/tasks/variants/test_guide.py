"""docs/variants.md shows every variant as it is; SALTUS_GOLDEN=write writes its table anew: then read it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from saltus.records import Sample
from saltus.tasks.variants import get_variant, list_variants

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "variants.md"
BEGIN, END = "<!-- variants -->", "<!-- end of variants -->"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


examples = load("examples")


def shown(before: Sample, after: Sample) -> tuple[str, str]:
    """The text before and after, or the part of `extra` that changed; the target where it changed."""
    one, other = before.input, after.input
    if one == other:
        keys = [key for key in after.extra if after.extra[key] != before.extra.get(key)]
        one, other = (
            " ".join(f"{key}: {msgspec.json.encode(sample.extra.get(key)).decode()}" for key in keys)
            for sample in (before, after)
        )
    if before.target != after.target:
        one, other = f"{one} → {before.target}", f"{other} → {after.target}"
    return code(one), code(other)


def code(text: str) -> str:
    return f"`{text.replace(chr(10), '⏎').replace('|', chr(92) + '|')}`"


def table() -> str:
    lines = [
        "| variant | group | what it does | keeps | before | after |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    infos = {info.name: info for info in list_variants()}
    for text, sample in examples.SHOWN:
        variant = get_variant(text)
        after = variant.apply(sample, examples.ALL)
        assert after is not None, text
        info = infos[text.partition(":")[0]]
        one, other = shown(sample, after)
        lines.append(f"| `{variant.name}` | {info.group} | {info.summary} | {info.keeps} | {one} | {other} |")
    return "\n".join(lines)


def options() -> str:
    lines = ["| variant | option | default | values | meaning |", "| --- | --- | --- | --- | --- |"]
    for info in list_variants():
        for one in info.parameters:
            values = ", ".join(f"`{value}`" for value in one.allowed) or f"{one.low:g} to {one.high:g}"
            lines.append(f"| `{info.name}` | `{one.name}` | `{one.default}` | {values} | {one.help} |")
    return "\n".join(lines)


def test_the_guide_shows_every_variant_as_it_is() -> None:
    text = GUIDE.read_text("utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    expected = f"{head}{BEGIN}\n{table()}\n\n{options()}\n{END}{tail}"
    if os.environ.get("SALTUS_GOLDEN") == "write":
        GUIDE.write_text(expected, "utf-8")
        text = expected
    assert text == expected


@pytest.mark.parametrize("info", list_variants(), ids=lambda info: info.name)
def test_every_variant_is_shown_and_says_what_stays(info: object) -> None:
    name = info.name  # type: ignore[attr-defined]
    assert any(text.partition(":")[0] == name for text, _ in examples.SHOWN)
    assert info.keeps.endswith(".")  # type: ignore[attr-defined]
    assert info.summary.endswith(".")  # type: ignore[attr-defined]
