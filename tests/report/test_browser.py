"""The report in a real browser, opened from disk: drawn, quiet, reachable by address, mouse and keyboard."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from saltus.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RECALL = "#/finding/recall-step-0123456789"
POINT = "#/point/recall-step-0123456789/toy-e%40step500"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium not found")


@pytest.fixture(scope="module")
def report(world: Any, store: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(store, world.findings, path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = [*FLAGS, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else FLAGS
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails its test when it logs anything, throws, or asks for anything but its own file."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on(
        "request", lambda request: None if request.url.startswith("file:") else trouble.append(request.url)
    )
    page.set_default_timeout(10_000)
    yield page
    assert page.evaluate("window.pwned") is None
    context.close()
    assert trouble == []


def until(page: Any, condition: str) -> None:
    """Wait for a condition in the page; Playwright's own wait needs `eval`, which the policy forbids."""
    for _ in range(250):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(40)
    raise AssertionError(f"never true: {condition}")


def drawn(page: Any, count: int = 1) -> None:
    """Wait until so many charts on the page have been drawn."""
    charts = "section:not([hidden]) [data-drawn] svg"
    until(page, f"document.querySelectorAll('{charts}').length >= {count}")


def at(page: Any, address: str) -> None:
    """Wait until the page at an address that starts so is complete; the address changes first."""
    until(
        page,
        "document.documentElement.dataset.shown === location.hash"
        f" && location.hash.startsWith({json.dumps(address)})",
    )


def visit(page: Any, url: str) -> None:
    """Open an address and wait for its page."""
    page.goto(url)
    at(page, url.partition("report.html")[2])


def heading(page: Any) -> str:
    return str(page.locator("section:not([hidden]) h1").first.inner_text())


def test_overview_shows_verdicts_and_a_heat_map(page: Any, report: str) -> None:
    visit(page, report)
    assert page.locator("#findings tbody tr:visible").count() == 11
    first = page.locator("#findings tbody tr").first
    assert "Breakthrough" in first.inner_text()
    assert "475 [450, 550]" in first.inner_text()
    page.locator("#overview-charts").scroll_into_view_if_needed()
    drawn(page)
    cells = page.locator("#overview-charts .mark-rect.role-mark path")
    assert cells.count() == 6 * 6  # 35 scores and a missing one
    page.locator("#overview-charts select").select_option(label="toy-e by training step")
    until(page, "document.querySelectorAll('#overview-charts .mark-rect.role-mark path').length === 60")


def test_filter_narrows_the_list(page: Any, report: str) -> None:
    visit(page, report)
    page.keyboard.press("/")
    until(page, "document.activeElement.id === 'filter'")
    page.keyboard.type("recall breakthrough step")
    assert page.locator("#findings tbody tr:visible").count() == 1
    assert page.locator("#filter-count").inner_text() == "1 of 11 findings"
    page.keyboard.press("Escape")
    assert page.locator("#findings tbody tr:visible").count() == 11
    page.locator("#filter").fill("zzz")
    assert page.locator("#filter-none").is_visible()


def test_a_row_leads_to_charts_then_to_samples_and_back(page: Any, report: str) -> None:
    visit(page, report)
    page.locator("#findings tbody tr", has_text="toy-e by training step").first.locator("td").nth(4).click()
    at(page, RECALL)
    assert heading(page) == "Recall appears at step 475 [450, 550]"
    drawn(page)
    chart = page.locator("section:not([hidden]) [data-drawn] svg")
    assert chart.locator(".mark-symbol path").count() == 24  # 12 measured points, 12 of the partner metric
    assert chart.locator(".mark-line path").count() == 2  # the fit and one rival
    assert chart.locator("text", has_text="chance").count() == 1
    assert chart.locator("text", has_text="Training step →").count() == 2
    page.locator("table.points tr", has_text="toy-e@step500").locator("td").nth(2).click()
    at(page, POINT)
    assert "20 of 24 shown" in page.locator("section:not([hidden])").inner_text()
    page.go_back()
    at(page, "#/finding/")
    assert heading(page).startswith("Recall appears")
    page.go_back()
    at(page, "")
    assert page.locator("[data-page=overview]").is_visible()


def test_a_dot_of_the_chart_leads_to_its_samples(page: Any, report: str) -> None:
    visit(page, report + RECALL)
    drawn(page)
    dot = page.locator("section:not([hidden]) [data-drawn] svg .mark-symbol path").last
    dot.hover()
    assert page.locator(".tip").inner_text().splitlines()[0] == "toy-e@step2000"
    assert "24 samples" in page.locator(".tip").inner_text()
    dot.click()
    at(page, "#/point/recall-step")


def test_samples_open_and_hostile_text_stays_text(page: Any, report: str) -> None:
    visit(page, report + POINT)
    row = page.locator("table.samples button.expand", has_text="window.pwned").first
    row.click()
    detail = page.locator("tr.detail")
    assert "</script><script>window.pwned=1</script><img" in detail.locator("pre").first.inner_text()
    assert detail.locator(".across a").count() == 12
    assert page.locator("img, iframe").count() == 0
    row.click()
    assert not detail.is_visible()
    page.keyboard.press("]")
    at(page, "#/point/recall-step-0123456789/toy-e%40step550")


@pytest.mark.parametrize("task", ["recall", "over'ride"])
def test_the_sql_command_gives_all_samples(page: Any, report: str, store: Any, task: str) -> None:
    visit(page, f"{report}#/point/{quote(task)}-step-0123456789/toy-e%40step500")
    words = shlex.split(page.locator("code.command").inner_text())
    assert words[:2] == ["saltus", "sql"]
    assert len(words) == 3
    assert store.sql(words[2]).num_rows == 24


def test_multiple_choice_shows_its_choices(page: Any, report: str) -> None:
    visit(page, report + "#/point/parity-params-0123456789/toy-c%40step2000")
    page.locator("table.samples button.expand").first.click()
    text = page.locator("tr.detail table").inner_text()
    assert "even" in text
    assert "chosen" in text


def test_the_keyboard_is_enough(page: Any, report: str) -> None:
    visit(page, report)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    at(page, "#/finding/")
    until(page, "document.activeElement.tagName === 'H1'")
    page.keyboard.press("]")
    at(page, "#/finding/recite")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    at(page, "#/point/recite")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert page.locator("tr.detail").is_visible()
    page.keyboard.press("u")
    at(page, "#/finding/recite")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("#/task/recall", "recall"),
        ("#/training", "What toy-e learns, and when"),
        ("#/training/toy-e", "What toy-e learns, and when"),
        ("#/forecast", "What the next scale will do"),
        ("#/models", "Models"),
        ("#/runs", "Runs"),
        ("#/methods", "Methods"),
        ("#/finding/nothing", "Not in this report"),
        ("#/%E0%A4%A", "Not in this report"),
    ],
)
def test_every_state_has_an_address(page: Any, report: str, address: str, words: str) -> None:
    visit(page, report + address)
    assert heading(page) == words
    if address.startswith(("#/task", "#/training", "#/forecast")):
        drawn(page, 2)


def test_imported_values_say_where_they_are_from(page: Any, report: str) -> None:
    visit(page, report + "#/point/imported-0123/toy-a%40step2000")
    note = page.locator("section:not([hidden]) .note").inner_text()
    assert "results/toy.json" in note
    assert "lm-eval" in note


def test_csv_holds_the_points(page: Any, report: str, tmp_path: Path) -> None:
    visit(page, report + RECALL)
    with page.expect_download() as download:
        page.locator("section:not([hidden]) .toolbar button", has_text="CSV").click()
    target = tmp_path / "points.csv"
    download.value.save_as(target)
    lines = target.read_text("utf-8").splitlines()
    assert download.value.suggested_filename == "recall-step.csv"
    assert lines[0] == "model,step,exact_match,low,high,n,used,run,target_logprob,partner_low,partner_high"
    assert len(lines) == 13
    assert lines[1].startswith("toy-e@step0,0,")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(page: Any, report: str, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    pages = (
        "#/",
        RECALL,
        "#/task/recite",
        POINT,
        "#/training",
        "#/forecast",
        "#/models",
        "#/runs",
        "#/methods",
    )
    for address in pages:
        visit(page, report + address)
        if address == RECALL:
            drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    visit(page, report + RECALL)
    drawn(page)
    box = page.locator("section:not([hidden]) [data-drawn] svg").bounding_box()
    assert box["x"] + box["width"] <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)"
    )


def test_the_policy_forbids_code_from_strings_and_requests(browser: Any, report: str) -> None:
    context = browser.new_context(bypass_csp=False)
    page = context.new_page()
    visit(page, report)
    for attempt in ("new Function('return 1')()", "eval('1')"):
        refused = page.evaluate(
            "code => new Promise(done => { const s = document.createElement('script'); s.textContent = code;"
            "window.ran = false; document.body.append(s); setTimeout(() => done(!window.ran), 20); })",
            f"window.ran = true; {attempt}",
        )
        assert refused
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => String(error))") != "sent"
    context.close()
