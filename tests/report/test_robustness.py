"""The page on robustness: its charts against golden files, its rows, and the page in a real browser."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from saltus.cli.robust import compare
from saltus.emergence import RobustnessTable
from saltus.records.findings import Interval
from saltus.records.robustness import Robustness, WorstSlice, WorstVariant
from saltus.report import write_report
from saltus.report.robustness import robustness_page, variant_flips, variant_scores
from saltus.report.theme import theme

GOLDEN = Path(__file__).parent / "golden"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def a_row(variant: str = "typos:rate=0.1", drop: float = 0.12, **changes: Any) -> Robustness:
    def around(value: float, half: float = 0.05) -> Interval:
        return Interval(value, round(value - half, 4), round(value + half, 4), 0.95)

    row = Robustness(
        model="tiny-0",
        task="sums",
        metric="exact_match",
        variant=variant,
        run="r1",
        plain_run="r1",
        n=200,
        plain=around(0.7),
        score=around(round(0.7 - drop, 4)),
        flips=around(round(0.2 + drop, 4)),
        lost=around(0.15),
        gained=around(0.05),
        drop=around(drop),
        p=0.004,
        q=0.008,
        floor=around(0.1),
        excess=around(0.1),
        worst=WorstSlice("difficulty=hard", around(0.4), 0.45, 0.02, 60, 3),
    )
    return msgspec.structs.replace(row, **changes)


def golden(name: str, spec: dict[str, Any]) -> None:
    assert spec.pop("config") == theme()
    text = json.dumps(spec, indent=1, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("SALTUS_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_scores_of_variants() -> None:
    golden("variant_scores", variant_scores([a_row("polite", 0.0), a_row()]))


def test_flips_of_variants() -> None:
    golden("variant_flips", variant_flips([a_row("polite", 0.0, floor=None), a_row()]))


def test_titles_say_the_answer() -> None:
    assert (
        variant_scores([a_row()])["title"]["text"] == "Sums, tiny-0: typos:rate=0.1 costs 0.12 [0.07, 0.17]"
    )
    unsure = a_row(drop=0.02)
    assert variant_scores([unsure])["title"]["text"].endswith("costs 0.02 [-0.03, 0.07], within the noise")
    better = a_row(drop=-0.02)
    assert variant_scores([better])["title"]["text"] == "Sums, tiny-0: no variant lowers the score"
    flips = variant_flips([a_row(), a_row("polite", 0.0)])["title"]["text"]
    assert flips == "typos:rate=0.1 flips 0.32 [0.27, 0.37] of the answers, against 0.10 by chance alone"


def test_charts_style_what_both_themes_know_and_have_every_dot_in_the_scale() -> None:
    for spec in (variant_scores([a_row()]), variant_flips([a_row(), a_row("polite", 0.0)])):
        styles = {layer["mark"]["style"] for layer in spec["layer"]}
        assert styles <= theme("light")["style"].keys()
        assert not any(layer["mark"]["type"] in ("line", "area", "trail") for layer in spec["layer"])
        low, high = spec["encoding"]["x"]["scale"]["domain"]
        for rows in spec["datasets"].values():
            assert all(low <= row[end] <= high for row in rows for end in ("low", "y", "high") if end in row)
        json.dumps(spec, allow_nan=False)


def test_the_page_begins_with_the_largest_loss() -> None:
    rows = [a_row(task="easy", drop=0.01), a_row("polite", 0.0), a_row(worst=None, q=None)]
    worst = WorstVariant(
        model="tiny-0",
        task="sums",
        metric="exact_match",
        variant="typos:rate=0.1",
        plain=rows[0].plain,
        score=rows[0].score,
        always=Interval(0.5, 0.4, 0.6, 0.95),
        p=0.01,
        n=200,
        compared=2,
    )
    first, second = robustness_page(RobustnessTable(rows, [worst]))
    assert (first["task"], second["task"]) == ("sums", "easy")
    assert (first["worst"], first["always"], first["compared"]) == ("typos:rate=0.1", "0.50 [0.40, 0.60]", 2)
    assert second["worst"] is None
    assert [row["variant"] for row in first["rows"]] == ["typos:rate=0.1", "polite"]
    assert first["rows"][0]["worst"] == first["rows"][0]["q"] == "–"  # noqa: RUF001
    assert first["rows"][1]["worst"] == "difficulty=hard 0.40 [0.35, 0.45]"


@pytest.fixture(scope="module")
def report(world: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    spec = importlib.util.spec_from_file_location(
        "variants_world", Path(__file__).with_name("variants_world.py")
    )
    assert spec is not None
    assert spec.loader is not None
    variants: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(variants)
    store = world.store(tmp_path_factory.mktemp("robust") / "store")
    variants.add_variants(store)
    variants.add_variants(store, task="rid<b>dles", epochs=3, models=1)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(store, world.findings, path, samples=1, robustness=compare(store))
    return path.as_uri()


@pytest.fixture
def page(report: str) -> Iterator[Any]:
    """A page that fails its test when it logs anything or throws."""
    if CHROMIUM is None:
        pytest.skip("chromium not found")
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        trouble: list[str] = []
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        yield page
        browser.close()
        assert trouble == []


def until(page: Any, condition: str) -> None:
    for _ in range(250):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(40)
    raise AssertionError(f"never true: {condition}")


def test_the_page_in_a_browser(page: Any, report: str) -> None:
    page.goto(report + "#/robustness")
    charts = "document.querySelectorAll('section:not([hidden]) [data-drawn] svg').length === 2"
    until(page, charts)
    shown = page.locator("section:not([hidden])")
    assert "override costs" in shown.locator("h1").inner_text()
    assert shown.locator("[data-drawn] svg").first.locator(".mark-symbol path").count() == 4
    assert shown.locator("table").count() == 2
    assert page.locator("nav [aria-current]").inner_text() == "Robustness"
    page.keyboard.press("]")
    until(page, "location.hash.startsWith('#/robustness/')")
    page.goto(report + "#/robustness/rid%3Cb%3Edles/tiny-0")
    until(page, "document.querySelector('section:not([hidden]) h1').textContent.startsWith('rid<b>dles')")
    until(page, charts)
    assert (
        shown.locator("[data-drawn] svg").last.locator(".mark-symbol path").count() == 8
    )  # dots and the floor
    assert shown.locator("h1 b").count() == 0
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(report + "#/robustness/nothing/tiny-0")
    until(page, "document.querySelector('section:not([hidden]) h1').textContent === 'Not in this report'")


def test_a_report_without_variants_has_no_such_page(world: Any, store: Any, tmp_path: Path) -> None:
    write_report(store, world.findings, tmp_path / "r.html", samples=0, robustness=compare(store))
    assert 'data-tab="robustness"' not in (tmp_path / "r.html").read_text("utf-8")
