"""The labelling pages: who may ask, and a rater at work in a real browser, by keyboard, mouse and address."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import saltus
from saltus.evals.labelling import Session, find_question, find_queue, load_queues, make_queue
from saltus.evals.labelling.queue import Queue, Wanted
from saltus.records import UsageError
from saltus.report.label_web import bind, make_app
from saltus.store import Store

from ..evals.labelling_world import fill  # noqa: TID252 - tests are no installed package

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "correct-horse-battery"  # noqa: S105
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium not found")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path / "evidence")


@pytest.fixture
def queue(store: Store) -> Queue:
    return make_queue(store, "last", wanted=Wanted(size=6, raters=2))


def ask(
    app: Any, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    """One request to an ASGI application; the Host header is that of this machine unless given."""
    path, _, query = path.partition("?")
    given = {"host": "localhost:1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        given |= {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(body))}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 2), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    sent: list[Any] = []
    inbox = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    return sent[0]["status"], found, text


def test_only_this_machine_by_its_own_name(store: Store, queue: Queue) -> None:
    with bind("127.0.0.1", 0) as listener:
        app = make_app(store, listener)
    assert "token" not in app.url
    for host in ("localhost:8750", "127.0.0.1:9", "[::1]:9", "localhost"):
        assert ask(app, "/", host=host)[0] == 200
    for host in ("evil.example", "localhost.evil.example:8750", "127.0.0.1.evil.example", "", "[::2]:9"):
        assert ask(app, "/", host=host)[0] == 403
    status, headers, _ = ask(app, "/nothing")
    assert status == 404
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert ask(app, "/", method="DELETE")[0] == 403


def test_forms_come_from_the_pages_themselves(store: Store, queue: Queue) -> None:
    with bind("localhost", 0) as listener:
        app = make_app(store, listener)
    address, body = f"/queue/{queue.id}/ann/1", b"mark=1"
    here = "http://localhost:1"
    assert ask(app, address, "POST", body)[0] == 403
    assert ask(app, address, "POST", body, origin="http://evil.example")[0] == 403
    assert ask(app, address, "POST", body, origin="null")[0] == 403
    assert ask(app, address, "POST", body, origin=here, sec_fetch_site="cross-site")[0] == 403
    assert Session(store, queue, "ann").mine() == {}
    assert ask(app, address, "POST", body, origin=here, sec_fetch_site="same-origin")[0] == 303
    assert len(Session(store, queue, "ann").mine()) == 1
    assert ask(app, address, "POST", b"mark=7", origin=here)[0] == 400
    assert ask(app, address, "POST", b"mark=" + b"1" * 20_000, origin=here)[0] == 413


def test_elsewhere_a_token_is_needed(store: Store, queue: Queue) -> None:
    with bind("0.0.0.0", 0) as listener:  # noqa: S104 - bound and never answered
        made_up = make_app(store, listener)
        app = make_app(store, listener, token=TOKEN)
        with pytest.raises(UsageError, match="16 to 128"):
            make_app(store, listener, token="short")  # noqa: S106
    assert len(made_up.url.partition("?token=")[2]) >= 32
    assert ask(app, "/", host="review.example")[0] == 401
    assert ask(app, "/?token=wrong-horse-battery", host="review.example")[0] == 401
    assert ask(app, "/static/report.css", host="review.example")[0] == 401
    status, headers, _ = ask(app, f"/start?queue=a%26b&token={TOKEN}", host="review.example")
    assert (status, headers["location"]) == (303, "/start?queue=a%26b")
    assert "HttpOnly; SameSite=Lax" in headers["set-cookie"]
    cookie = headers["set-cookie"].partition(";")[0]
    assert ask(app, "/", host="review.example", cookie=cookie)[0] == 200
    assert ask(app, "/", host="review.example", cookie=cookie[:-1])[0] == 401
    assert ask(app, f"//evil.example/?token={TOKEN}")[1]["location"] == "/evil.example/"
    body = b"mark=1"
    address = f"/queue/{queue.id}/ann/1?token={TOKEN}"
    assert ask(app, address, "POST", body, host="r.example", origin="http://r.example")[0] == 401


def test_an_address_in_use_is_named() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be listened on"), bind("127.0.0.1", port):
            pass


def test_pages_tell_nothing_of_the_model(store: Store, queue: Queue) -> None:
    for number in (1, 2, 3):
        Session(store, queue, "bob").answer(number, 1)
    with bind("127.0.0.1", 0) as listener:
        app = make_app(store, listener)
    paths = ["/", f"/queue/{queue.id}", f"/queue/{queue.id}/ann/mine", f"/disputed/{queue.id}/ann/mine"]
    paths += [f"/queue/{queue.id}/ann/{place}" for place in range(1, 7)]
    for path in paths:
        status, _, text = ask(app, path)
        assert status == 200, path
        assert not any(word in text for word in ("tiny", "large", "exact_match", "suspicious", "borderline"))
    assert "bob" not in ask(app, f"/queue/{queue.id}/ann/1")[2]
    for path in ("/queue/zzz/ann/1", f"/queue/{queue.id}/ann/7", f"/queue/{queue.id}/a b/1", "/static/x.py"):
        assert ask(app, path)[0] == 404, path
    assert ask(app, "/start?queue=zzz&rater=<script>")[2].count("<script>") == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """`saltus label serve` on a free port, as a process of its own."""
    path = tmp_path_factory.mktemp("served") / "evidence"
    with fill(path) as store:
        make_queue(store, "last", find_question("helpfulness"), Wanted(size=5, raters=2, seed=1))
        make_queue(store, "last", wanted=Wanted(size=5, raters=2))
    command = [
        sys.executable,
        "-m",
        "saltus",
        "label",
        "serve",
        "--port",
        "0",
        "--json",
        "--store",
        str(path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    yield url.rstrip("/"), path
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, served: tuple[str, Path]) -> Iterator[Any]:
    """A page that fails its test when it logs anything, throws, or asks any other server."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: None if request.url.startswith((served[0], "data:")) else trouble.append(request.url),
    )
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert trouble == []


def mine(path: Path, rater: str) -> dict[int, int | None]:
    """What a rater said, by place in the rater's order."""
    with saltus.open(path, create=False) as store:
        session = Session(store, find_queue(store), rater)
        return {session.place(number): label.mark for number, label in session.mine().items()}


@needs_browser
def test_the_keyboard_is_enough(page: Any, served: tuple[str, Path]) -> None:
    url, path = served
    page.goto(url)
    page.keyboard.type("kim")  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/kim/1")
    for place, key in enumerate("123", 2):
        page.keyboard.press(key)
        page.wait_for_url(f"**/kim/{place}")
    assert page.locator(".far").inner_text().strip() == "3 done, 2 left"
    assert mine(path, "kim") == {1: 1, 2: 0, 3: None}
    page.keyboard.press("u")
    page.wait_for_url("**/kim/3")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/kim/2")
    assert page.locator("[aria-pressed=true]").inner_text().endswith("Incorrect")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/kim/3")
    page.keyboard.press("s")
    page.wait_for_url("**/kim/3#skip")
    page.wait_for_function("/INPUT|TEXTAREA/.test(document.activeElement?.tagName)")
    page.keyboard.type("1 is unclear")  # digits in a field are no answers
    page.keyboard.press("Enter")
    page.wait_for_url("**/kim/4")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/kim/5")
    page.keyboard.press("1")
    page.wait_for_url("**/kim/mine")
    assert page.locator("h1").inner_text() == "Nothing waits for kim"
    assert page.locator("table.mine tbody tr").count() == 5
    assert "1 is unclear" in page.locator("table.mine").inner_text()
    assert mine(path, "kim") == {1: 1, 2: 0, 3: None, 4: 0, 5: 1}


@needs_browser
def test_a_key_that_is_held_labels_one_item(page: Any, served: tuple[str, Path]) -> None:
    url, path = served
    with saltus.open(path, create=False) as store:
        queue = find_queue(store)
    page.goto(f"{url}/queue/{queue.id}/held/1")
    page.keyboard.down("1")
    page.wait_for_url("**/held/2")
    page.keyboard.down("1")  # pressed again without a release: a repeat
    page.wait_for_timeout(300)
    assert mine(path, "held") == {1: 1}


@needs_browser
def test_the_mouse_is_enough(page: Any, served: tuple[str, Path]) -> None:
    url, path = served
    page.goto(url)
    page.locator("section.queue", has_text="correct").locator("input[name=rater]").fill("mo")
    page.locator("section.queue", has_text="correct").locator("button").click()
    page.locator("button", has_text="Incorrect").click()
    page.wait_for_url("**/mo/2")
    page.locator("button", has_text="Undo").click()
    page.wait_for_url("**/mo/1")
    assert mine(path, "mo") == {}
    page.locator("a", has_text="Keys").click()
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(
    page: Any, served: tuple[str, Path], width: int, scheme: str
) -> None:
    url, path = served
    with saltus.open(path, create=False) as store:
        rubric, correct = (queue.id for queue in load_queues(store))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    places = ["/1", "/2#skip", "/2#keys", "/mine"]
    for address in ("/", f"/queue/{correct}", *(f"/queue/{rubric}/wide{place}" for place in places)):
        page.goto(url + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        for button in page.locator(".answers button").all():
            assert button.evaluate("one => one.scrollWidth <= one.clientWidth"), address
            assert button.bounding_box()["height"] >= 44
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
