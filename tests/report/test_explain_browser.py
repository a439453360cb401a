"""The pages on explanations in a real browser: drawn, quiet, by address, mouse and keyboard."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saltus.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOWN = "section:not([hidden])"
FULL = "#/explain/" + "e" * 32

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium not found")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = Path(__file__).with_name("explain_world.py")
    spec = importlib.util.spec_from_file_location("explain_world", place)
    assert spec is not None
    assert spec.loader is not None
    world: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    store, findings = world.explained_store(str(tmp_path_factory.mktemp("explained") / "store"))
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(store, findings, path, samples=4)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []
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
    page.on("request", lambda one: None if one.url.startswith("file:") else trouble.append(one.url))
    page.set_default_timeout(10_000)
    yield page
    assert page.evaluate("window.pwned") is None
    context.close()
    assert trouble == []


def until(page: Any, condition: str) -> None:
    for _ in range(250):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(40)
    raise AssertionError(f"never true: {condition}")


def visit(page: Any, url: str) -> None:
    page.goto(url)
    address = json.dumps(url.partition("report.html")[2])
    until(
        page,
        f"document.documentElement.dataset.shown === location.hash && location.hash.startsWith({address})",
    )


def section(page: Any, title: str) -> Any:
    """Bring a chart's figure into view and wait until it is drawn."""
    figure = page.locator(f"{SHOWN} figure", has=page.locator("figcaption", has_text=title)).last
    figure.scroll_into_view_if_needed()
    figure.locator("[data-drawn] svg").wait_for()
    return figure


def test_the_page_says_what_carries_it(page: Any, report: str) -> None:
    visit(page, report + FULL)
    shown = page.locator(SHOWN)
    assert shown.locator("h1").inner_text().startswith("L0H1 and L1H2 carry recall")
    assert "0.98" in shown.locator(".headline").inner_text()
    assert shown.locator(".statements .standing").all_inner_texts() == [
        "shown",
        "shown",
        "correlated",
        "not tested",
    ]
    assert shown.locator(".statements use").count() == 4
    assert "</script><script>" in shown.locator(".statements li").last.inner_text()
    assert page.locator("nav [aria-current]").first.inner_text() == "Explain"
    assert page.locator("img, iframe").count() == 0


def test_a_cell_of_the_strip_leads_to_its_prompts(page: Any, report: str) -> None:
    visit(page, report + FULL)
    figure = section(page, "Induction: L1H2 stands highest")
    cells = figure.locator(".mark-rect.role-mark path")
    assert cells.count() > 24 * 35
    cells.last.hover()
    assert page.locator(".tip").inner_text().splitlines()[0] == "L2H7, tiro-2x64@step3000"
    cells.last.click()
    until(
        page, "document.documentElement.dataset.shown.startsWith('#/point/recall-tiro/tiro-2x64%40step3000')"
    )
    assert "4 of 4 shown" in page.locator(SHOWN).inner_text()


def test_a_role_is_part_of_the_address(page: Any, report: str) -> None:
    visit(page, report + FULL)
    page.locator("[data-choice=role-previous_token]").click()
    section(page, "Previous token: L0H1 stands highest")
    assert page.evaluate("location.hash").endswith("?role=previous_token")
    assert page.evaluate("document.activeElement.dataset.choice") == "role-previous_token"
    visit(page, report + FULL + "?role=source&method=zero_ablation")
    section(page, "Source of the answer: L1H2")
    assert page.locator("[data-choice=method-zero_ablation]").get_attribute("aria-pressed") == "true"


def test_attention_by_mouse_and_keyboard(page: Any, report: str) -> None:
    visit(page, report + FULL + "?head=L1H2&prompt=0")
    figure = page.locator(f"{SHOWN} .attention")
    assert "attends most to “ m9”, which holds the answer: 0.90" in figure.locator("figcaption").inner_text()
    tokens = figure.locator(".token")
    assert tokens.count() == 28
    assert tokens.nth(9).get_attribute("title") == "token 9: 0.90"
    tokens.nth(5).hover()
    assert figure.locator(".said").inner_text().startswith("L1H2 at “ m5” (5)")
    tokens.nth(27).focus()
    page.keyboard.press("ArrowLeft")
    assert figure.locator(".said").inner_text().startswith("L1H2 at “ t26” (26)")
    assert "token=26" in page.evaluate("location.hash")
    page.keyboard.press("ArrowDown")
    assert page.locator("[data-choice=head-1]").get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.activeElement.dataset.token") == "26"
    assert "head=L0H1" in page.evaluate("location.hash")
    page.keyboard.press("Home")
    assert figure.locator(".said").inner_text().startswith("L0H1 at “ k0” (0)")
    page.locator("[data-choice=prompt-2]").click()
    assert "the last 96 of 130 tokens" in figure.locator("figcaption").inner_text()
    figure.locator("summary").click()
    figure.locator("table tbody tr").first.wait_for()
    drawn = "[...document.querySelector('canvas.map').getContext('2d').getImageData(0, 0, 200, 200).data]"
    assert page.evaluate(f"new Set({drawn}).size") > 3


def test_the_circuit_is_a_graph_with_a_table(page: Any, report: str) -> None:
    visit(page, report + FULL)
    figure = page.locator(f"{SHOWN} figure", has=page.locator(".circuit")).first
    until(page, "document.querySelectorAll('.circuit .c-node').length === 5")
    assert figure.locator(".c-edge").count() == 6
    assert figure.locator(".c-needed").count() == 2
    widths = figure.locator(".c-edge").evaluate_all(
        "all => all.map((one) => +one.getAttribute('stroke-width'))"
    )
    assert max(widths) == 10
    figure.locator(".c-needed").first.hover()
    assert "previous token 0.88" in page.locator(".tip").inner_text()
    figure.locator("summary").click()
    figure.locator("table").nth(1).wait_for()
    assert figure.locator("table").count() == 2
    assert "[0.600, 0.680]" in figure.locator("table").last.inner_text()


def test_every_chart_has_a_table_and_a_csv(page: Any, report: str, tmp_path: Path) -> None:
    visit(page, report + FULL)
    for title in ("falls from", "brings back", "rises most", "writes most", "at strength 0", "goes from"):
        figure = page.locator(f"{SHOWN} figure", has=page.locator("figcaption", has_text=title)).first
        figure.scroll_into_view_if_needed()
        figure.locator("[data-drawn] svg").wait_for()
        figure.locator("summary").click()
        figure.locator("table tbody tr").nth(1).wait_for()
    figure = page.locator(f"{SHOWN} figure", has=page.locator("figcaption", has_text="falls from")).first
    with page.expect_download() as download:
        figure.locator("button", has_text="CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text("utf-8").splitlines()
    assert lines[0] == "component,task,method,metric,baseline,effect,low,high,n,detail"
    assert len(lines) > 20


def test_pages_lead_to_each_other(page: Any, report: str) -> None:
    visit(page, report)
    page.locator(".explained a").first.click()
    until(page, "location.hash.startsWith('#/explain/eee')")
    page.keyboard.press("]")
    until(page, "location.hash.startsWith('#/explain/nnn')")
    until(page, "document.title.startsWith('Nothing carries parity')")
    page.keyboard.press("u")
    until(page, "document.documentElement.dataset.shown === '#/explain'")
    assert page.locator(f"{SHOWN} table tbody tr").count() == 3
    visit(page, report + "#/finding/recall-tiro")
    page.locator(f"{SHOWN} .facts a", has_text="carried by named parts").click()
    until(page, "location.hash.startsWith('#/explain/eee')")
    visit(page, report + "#/explain/nothing")
    assert page.locator(f"{SHOWN} h1").inner_text() == "Not in this report"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(page: Any, report: str, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    for address in ("#/", FULL, "#/explain", "#/explain/" + "n" * 32, "#/explain/" + "u" * 32):
        visit(page, report + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    visit(page, report + FULL)
    for title in ("stands highest", "falls from", "rises most"):
        box = section(page, title).locator("[data-drawn] svg").bounding_box()
        assert box["x"] + box["width"] <= width, title
    graph = page.locator(".circuit svg").bounding_box()
    assert graph["x"] + graph["width"] <= width
