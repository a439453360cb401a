from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from saltus.records.arrow import SAMPLES
from saltus.records.errors import StoreError, UsageError
from saltus.report import write_report
from saltus.report.evidence import partner_points, sample_rows
from saltus.report.payload import embed
from saltus.report.write import LIBRARIES


class Page(HTMLParser):
    """The page as a browser would cut it into elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.scripts:
            self.scripts[-1] += data


def written(world: Any, store: Any, tmp_path: Path, **options: Any) -> tuple[str, dict[str, Any]]:
    path = tmp_path / "report.html"
    write_report(store, world.findings, path, **options)
    text = path.read_text("utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert block
    return text, json.loads(block[1])


def test_info_says_what_was_written(world: Any, store: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    info = write_report(store, world.findings, str(path), samples=5)
    assert info.bytes == path.stat().st_size < 2_000_000
    assert (info.findings, info.models, info.samples_per_point) == (11, 17, 5)
    assert info.samples == 17 * 5 * 5  # models x tasks x samples
    assert list(tmp_path.iterdir()) == [path]


def test_same_evidence_same_bytes(world: Any, store: Any, tmp_path: Path) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    write_report(store, world.findings, pages[0])
    write_report(store, list(reversed(world.findings)), pages[1])
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_nothing_untrusted_becomes_an_element(world: Any, store: Any, tmp_path: Path) -> None:
    text, data = written(world, store, tmp_path, title='<img src=x onerror="alert(1)">')
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "b")] or all(
        attrs == {} for tag, attrs in page.tags if tag == "b"
    )
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert len(page.scripts) == 1 + len(LIBRARIES) + 1
    assert not any("pwned" in script for script in page.scripts[1:])
    samples = data["samples"]["recall"]
    prompt = samples["samples"][samples["ids"].index("recall-001")]["input"]
    assert prompt.startswith("</script><script>window.pwned=1</script>")
    assert "\u2028" in prompt


def test_the_page_asks_for_nothing_and_its_policy_names_its_scripts(
    world: Any, store: Any, tmp_path: Path
) -> None:
    text, _ = written(world, store, tmp_path)
    page = Page(text)
    policy = (
        next(attrs["content"] for tag, attrs in page.tags if tag == "meta" and "http-equiv" in attrs) or ""
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == len(LIBRARIES) + 1
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    sources = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href") and value
    ]
    assert sources
    assert all(value.startswith("#") for value in sources)


def test_embedded_json_cannot_end_its_element() -> None:
    hostile = "</script><!--\u2028\u2029&amp;\\u003c\0"
    text = embed({"a": [hostile, 1.5, None, True]})
    assert not set("<>&\u2028\u2029\0") & set(text)
    assert json.loads(text) == {"a": [hostile, 1.5, None, True]}


def test_every_model_of_a_task_shows_the_same_samples(world: Any, store: Any, tmp_path: Path) -> None:
    _, data = written(world, store, tmp_path, samples=7)
    for task in data["samples"].values():
        assert len(task["ids"]) == 7
        assert len(task["responses"]) == 17
        assert all(len(answers) == 7 and None not in answers for answers in task["responses"].values())
        assert set(task["totals"].values()) == {24}


def test_scores_and_answers_belong_together(world: Any, store: Any, tmp_path: Path) -> None:
    _, data = written(world, store, tmp_path)
    stored = {(row["model"], row["sample"], row["metric"]): row["value"] for row in world.tables["scores"]}
    task = data["samples"]["facts"]
    for key, answers in task["responses"].items():
        model = key.split("|")[1]
        for sample, answer in zip(task["ids"], answers, strict=True):
            for metric, value in zip(task["metrics"], answer["s"], strict=True):
                assert value == pytest.approx(stored[model, sample, metric], rel=1e-3)
            assert answer["o"].startswith("answer") == (
                answer["s"][task["metrics"].index("exact_match")] == 1
            )


def test_partner_points_come_from_the_same_models(world: Any, store: Any) -> None:
    finding = world.findings[0]
    partners = partner_points(store, [finding])[finding.id]
    assert [point.model for point in partners] == [point.model for point in finding.points]
    row = next(
        row
        for row in world.point_rows
        if (row["model"], row["task"], row["metric"]) == (partners[0].model, finding.task, "target_logprob")
    )
    assert (partners[0].y, partners[0].stderr) == pytest.approx((row["value"], row["stderr"]))
    unchecked = msgspec.structs.replace(finding, partner=None)
    assert partner_points(store, [unchecked])[finding.id] == partners


def test_without_samples(world: Any, store: Any, tmp_path: Path) -> None:
    _, data = written(world, store, tmp_path, samples=0)
    assert data["samples"] == {}


def test_max_bytes_halves_the_samples_and_then_refuses(world: Any, store: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    full = write_report(store, world.findings, path, samples=20)
    bare = write_report(store, world.findings, path, samples=0)
    middle = (full.bytes + bare.bytes) // 2
    info = write_report(store, world.findings, path, samples=20, max_bytes=middle)
    assert info.bytes <= middle
    assert 0 < info.samples_per_point < 20
    with pytest.raises(UsageError, match="max_bytes"):
        write_report(store, world.findings, path, max_bytes=1000)


def test_bad_calls_are_one_clear_sentence(world: Any, store: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a finding or an explanation"):
        write_report(store, [], tmp_path / "r.html")
    with pytest.raises(UsageError, match="samples is -1"):
        write_report(store, world.findings, tmp_path / "r.html", samples=-1)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "missing" / "r.html", tmp_path / "file" / "r.html", tmp_path):
        with pytest.raises(StoreError, match="cannot be written"):
            write_report(store, world.findings, place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_long_texts_keep_both_ends(world: Any, tmp_path: Path) -> None:
    other = copy.copy(world)
    long = [{**row, "input": "start" + "x" * 9000 + "end"} for row in world.tables["samples"]]
    other.tables = {**world.tables, "samples": long}
    sample = sample_rows(other.store(tmp_path), world.findings, 1)["recall"].samples[0]
    assert len(sample["input"]) < 6100
    assert sample["input"].startswith("start")
    assert sample["input"].endswith("end")
    assert "3,008 characters left out" in sample["input"]


def test_several_versions_of_a_sample_are_told(world: Any, tmp_path: Path) -> None:
    store = world.store(tmp_path)
    newer = [{**row, "task_version": "v2", "input": "newer"} for row in world.tables["samples"]]
    store.append("samples", pa.Table.from_pylist(newer, schema=SAMPLES))
    sample = sample_rows(store, world.findings, 1)["recall"].samples[0]
    assert (sample["input"], sample["versions"]) == ("newer", 2)


def test_findings_without_points_or_fits_still_make_a_page(world: Any, store: Any, tmp_path: Path) -> None:
    empty = msgspec.structs.replace(
        world.findings[0],
        id="empty",
        points=(),
        fits=(),
        band=None,
        onset=None,
        rise=None,
        verdict="too_few_scales",
        artifact=None,
    )
    info = write_report(store, [empty], tmp_path / "r.html")
    assert (info.points, info.samples) == (0, 0)
